"""Files of other formats with known samples, and images of Pillow in all its modes."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import gray, rgb, save
from PIL import Image
from tiff_files import SIDE_H, SIDE_W, ramps, to_8_bit

from mixqual.images import Embedded, Unreadable, plain_image, read_image


def file(data: bytes) -> Embedded:
    return Embedded("file", 0, len(data), lambda _: data)


def png(values: np.ndarray, bits: int, colour: int, transparent: bytes = b"") -> bytes:
    """A file of samples (H, W, S) as they are stored, with the tRNS chunk of a transparent one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    bits_of_rows = values.reshape(len(values), -1)[..., None] >> np.arange(bits - 1, -1, -1) & 1
    rows = np.packbits(bits_of_rows.reshape(len(values), -1).astype(np.uint8), axis=1)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    key = chunk(b"tRNS", transparent) if transparent else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + key
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_gray_of_a_png_is_white_and_no_other(bits: int) -> None:
    values = ramps(1, bits)
    plain = to_8_bit(values[..., 0], bits)
    np.testing.assert_array_equal(np.asarray(read_image(file(png(values, bits, 0)))), plain)
    for key in {0, 2**bits - 1, int(values[3, 5, 0]), int(values[20, 9, 0])}:
        data = png(values, bits, 0, struct.pack(">H", key))
        expected = np.where(values[..., 0] == key, 255, plain)
        np.testing.assert_array_equal(np.asarray(read_image(file(data))), expected)
        np.testing.assert_array_equal(
            np.asarray(plain_image(Image.open(io.BytesIO(data)))), expected
        )


def test_a_transparent_colour_of_8_bits_is_white_and_one_of_16_is_refused() -> None:
    values = ramps(3, 8)
    key = values[4, 7]
    expected = np.where((values == key).all(-1, keepdims=True), 255, values)
    data = png(values, 8, 2, struct.pack(">3H", *key))
    np.testing.assert_array_equal(np.asarray(read_image(file(data))), expected)
    deep = png(values * 257, 16, 2, struct.pack(">3H", *(key * 257)))
    with pytest.raises(Unreadable, match="colour of 16 bits is transparent; save it with an alpha"):
        read_image(file(deep))


@pytest.mark.parametrize("most", [1, 15, 100, 255, 256, 1023, 4095, 65535])
def test_ppm_of_any_largest_value(most: int) -> None:
    values = np.round(ramps(3, 16) * (most / 65535)).astype(int)
    head = f"\n{SIDE_W} {SIDE_H}\n{most}\n".encode()
    kind = ">u2" if most > 255 else "u1"
    for data, expected in (
        (b"P5" + head + values[..., 0].astype(kind).tobytes(), values[..., 0]),
        (b"P6" + head + values.astype(kind).tobytes(), values),
        (b"P2" + head + " ".join(map(str, values[..., 0].ravel())).encode(), values[..., 0]),
        (b"P3" + head + " ".join(map(str, values.ravel())).encode(), values),
    ):
        found = np.asarray(read_image(file(data))).astype(int)
        assert np.abs(found - np.round(expected * 255 / most)).max() <= (1 if most > 255 else 0)


# Images of Pillow

MODES: dict[str, Callable[[], Image.Image]] = {
    "1": lambda: gray().convert("1"),
    "L": gray,
    "L key": lambda: _with(gray(), transparency=7),
    "P": lambda: rgb().quantize(16),
    "P key": lambda: _with(rgb().quantize(16), transparency=3),
    "P alphas": lambda: _with(rgb().quantize(16), transparency=bytes(range(0, 256, 16))),
    "RGB": rgb,
    "RGB key": lambda: _with(rgb(), transparency=rgb().getpixel((3, 4))),
    "RGBA": lambda: Image.merge("RGBA", (*rgb().split(), gray(1))),
    "LA": lambda: Image.merge("LA", (gray(), gray(1))),
    "PA": lambda: Image.merge("LA", (gray(), gray(1))).convert("PA"),
    "CMYK": lambda: rgb().convert("CMYK"),
    "YCbCr": lambda: rgb().convert("YCbCr"),
    "I;16": lambda: Image.fromarray(_deep()),
    "I;16B": lambda: Image.frombytes("I;16B", (40, 40), _deep().astype(">u2").tobytes()),
}
FORMATS = {"CMYK": ("tif", "jpg"), "YCbCr": ("tif", "jpg"), "PA": ("tif",), "I;16B": ("tif",)}


def _with(image: Image.Image, **info: object) -> Image.Image:
    image.info |= info
    return image


def _deep() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (40, 40), np.uint16)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", MODES)
def test_an_opened_image_is_what_its_file_is(tmp_path: Path, name: str, orientation: int) -> None:
    image = MODES[name]()
    exif = Image.Exif()
    exif[0x0112] = orientation
    info = {key: value for key, value in image.info.items() if key == "transparency"}
    for suffix in FORMATS.get(name, ("png",)):
        path = save(image, tmp_path / f"x.{suffix}", exif=exif, **info)
        expected = read_image(path)
        for loaded in (False, True):
            with Image.open(path) as opened:
                before = dict(opened.info)
                if loaded:
                    opened.load()
                found = plain_image(opened)
                assert found.mode == expected.mode
                assert found.tobytes() == expected.tobytes()
                assert opened.info.get("transparency") == before.get("transparency")
                assert plain_image(opened).tobytes() == expected.tobytes()  # and once more
        if orientation == 1 and suffix != "jpg" and name != "YCbCr":  # of which files lose some
            assert plain_image(image).tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_an_image_of_pixels_without_a_range_is_refused(mode: str) -> None:
    with pytest.raises(Unreadable, match="pixels have no known range; save it with 8 or 16 bits"):
        plain_image(Image.new(mode, (4, 4), 7))


def test_a_closed_or_damaged_image_is_refused(tmp_path: Path) -> None:
    path = save(rgb(), tmp_path / "x.png")
    image = Image.open(path)
    image.close()
    with pytest.raises(Unreadable):
        plain_image(image)
    path.write_bytes(path.read_bytes()[:-2000])
    with Image.open(path) as image, pytest.raises(Unreadable, match="damaged"):
        plain_image(image)


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=50))
def test_16_bits_are_rounded_to_the_nearest_of_8(values: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.uint16))
    expected = np.floor(np.array([values]) / 257 + 0.5)
    np.testing.assert_array_equal(np.asarray(plain_image(image)), expected)
