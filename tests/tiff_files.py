"""TIFF files of known samples, written byte by byte: in every combination that the format has."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE_H, SIDE_W = 21, 35
"""So that neither strips nor tiles, nor the bits of a row, come out even."""

Values = NDArray[np.int64]
_TILE, _ROWS = 16, 5
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ramps(samples: int, bits: int) -> Values:
    """Smooth samples, each with a slope of its own and all numbers it can have; (H, W, samples)."""
    y, x = np.mgrid[:SIDE_H, :SIDE_W]
    most = 2**bits - 1
    slopes = (x + y, SIDE_H - 1 - y + x, np.abs(2 * x - SIDE_W), y, x * y % 17)
    planes = [np.round(slope * (most / slope.max())) for slope in slopes[:samples]]
    return np.dstack(planes).astype(np.int64)


def to_8_bit(values: NDArray[np.float64] | Values, bits: int) -> NDArray[np.float64]:
    return np.round(values * 255 / (2**bits - 1))


def _packed(values: Values, bits: int, order: str) -> bytes:
    rows = values.reshape(len(values), -1)
    if bits in (8, 16, 32):
        return rows.astype(f"{order}u{bits // 8}").tobytes()
    each = rows[..., None] >> np.arange(bits - 1, -1, -1) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def _compressed(data: bytes, compression: int) -> bytes:
    if compression == 8:
        return zlib.compress(data)
    if compression == 32773:  # PackBits, of literal runs
        runs = [data[at : at + 128] for at in range(0, len(data), 128)]
        return b"".join(bytes([len(run) - 1]) + run for run in runs)
    return data


def _chunks(values: Values, layout: str) -> list[Values]:
    if layout == "strips":
        return [values[top : top + _ROWS] for top in range(0, len(values), _ROWS)]
    if layout == "tiles":
        padded = np.pad(values, ((0, -SIDE_H % _TILE), (0, -SIDE_W % _TILE), (0, 0)))
        return [
            padded[top : top + _TILE, left : left + _TILE]
            for top in range(0, SIDE_H, _TILE)
            for left in range(0, SIDE_W, _TILE)
        ]
    return [values]


def tiff(
    values: Values,
    bits: int,
    photometric: int | None,
    *,
    order: str = "<",
    planar: int = 1,
    extra: Sequence[int] | None = None,
    fill: int = 1,
    compression: int = 1,
    layout: str = "",
    colours: Sequence[int] | None = None,
    more: Sequence[tuple[int, Sequence[int]]] = (),
) -> bytes:
    """A file of samples (H, W, S), as they are to be stored; `more` are tags of short numbers."""
    samples = values.shape[2]
    planes = [values] if planar == 1 else [values[..., [sample]] for sample in range(samples)]
    blobs = []
    for chunk in (chunk for plane in planes for chunk in _chunks(plane, layout)):
        blob = _compressed(_packed(chunk, bits, order), compression)
        blobs.append(blob.translate(_MIRRORED) if fill == 2 else blob)

    shorts: dict[int, Sequence[int]] = {
        256: [SIDE_W], 257: [SIDE_H], 258: [bits] * samples, 259: [compression],
        277: [samples], 284: [planar],
    }  # fmt: skip
    if photometric is not None:
        shorts[262] = [photometric]
    if fill == 2:
        shorts[266] = [fill]
    if extra is not None:
        shorts[338] = extra
    if colours is not None:
        shorts[320] = colours
    shorts |= {322: [_TILE], 323: [_TILE]} if layout == "tiles" else {}
    shorts |= {} if layout == "tiles" else {278: [_ROWS if layout == "strips" else SIDE_H]}
    shorts |= dict(more)
    count = len(shorts) + 2
    body = b""

    def place(data: bytes) -> int:
        nonlocal body
        body += b"\0" * (len(body) % 2)
        at = 8 + 2 + 12 * count + 4 + len(body)
        body += data
        return at

    offsets = [place(blob) for blob in blobs]
    places, sizes = (324, 325) if layout == "tiles" else (273, 279)
    fields = {tag: (3, "H", numbers) for tag, numbers in shorts.items()}
    fields |= {places: (4, "I", offsets), sizes: (4, "I", [len(blob) for blob in blobs])}
    entries = b""
    for tag, (kind, letter, numbers) in sorted(fields.items()):
        data = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        value = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "I", place(data))
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + value
    mark = b"II" if order == "<" else b"MM"
    return struct.pack(f"{order}2sHIH", mark, 42, 8, count) + entries + bytes(4) + body
