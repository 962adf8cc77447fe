"""TIFF files of known samples in all combinations: what is read is right within 1 of 255 levels."""

import io
from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiff_files import SIDE_H, SIDE_W, ramps, tiff, to_8_bit

from mixqual.images import Embedded, Unreadable, plain_image, read_header, read_image

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
RAW, DEFLATE, PACKBITS = 1, 8, 32773
Case = tuple[str, bytes, NDArray[np.float64]]


def file(data: bytes) -> Embedded:
    return Embedded("file", 0, len(data), lambda _: data)


def in_colour(pixels: NDArray[np.float64] | Image.Image) -> NDArray[np.float64]:
    """As (H, W, 3), gray repeated."""
    values = np.asarray(pixels).astype(np.float64)
    return values if values.ndim == 3 else np.dstack([values] * 3)


def read_of(cases: Iterator[Case], tolerance: int = 1) -> set[str]:
    """The names of the cases that are read, which must be right; the others must be refused.

    With a remedy; and an image of Pillow is read or refused as the file is.
    """
    found, reasons = set(), {}
    for name, data, expected in cases:
        try:
            pixels = read_image(file(data))
        except Unreadable as error:
            reasons[name] = str(error)
            with pytest.raises((Unreadable, OSError)):
                plain_image(Image.open(io.BytesIO(data)))
            continue
        off = np.abs(in_colour(pixels) - in_colour(expected)).max()
        assert off <= tolerance, f"{name}: off by {off}"
        assert read_header(file(data)).grayscale == (pixels.mode == "L")
        assert plain_image(Image.open(io.BytesIO(data))).tobytes() == pixels.tobytes(), name
        found.add(name)
    assert [text for text in reasons.values() if "; save it" not in text] == []
    return found


def grays() -> Iterator[Case]:
    photometrics, depths = (WHITE_IS_ZERO, BLACK_IS_ZERO), (1, 2, 4, 8, 12, 16, 32)
    for photometric, bits, order, planar, fill, compression, layout in product(
        photometrics, depths, "<>", (1, 2), (1, 2), (RAW, DEFLATE), ("", "strips", "tiles")
    ):
        if (fill == 2 or planar == 2) and layout == "strips":
            continue
        values = ramps(1, bits)
        stored = values if photometric == BLACK_IS_ZERO else 2**bits - 1 - values
        options = {"planar": planar, "fill": fill, "compression": compression, "layout": layout}
        name = f"{photometric} {bits} {order} {planar} {fill} {compression} {layout}"
        yield name, tiff(stored, bits, photometric, order=order, **options), to_8_bit(values, bits)


def test_gray() -> None:
    read = read_of(grays())
    plain = product(
        (0, 1), (1, 2, 4, 8), "<>", (1,), (1, 2), (RAW, DEFLATE), ("", "strips", "tiles")
    )
    assert read >= {" ".join(map(str, case)) for case in plain if case[4] == 1}
    for photometric, compression, layout in product(
        (0, 1), (RAW, DEFLATE), ("", "strips", "tiles")
    ):
        assert f"{photometric} 16 < 1 1 {compression} {layout}" in read
    assert "1 16 > 1 1 1 " in read
    assert "1 12 < 1 1 1 " in read


def colours() -> Iterator[Case]:
    for bits, order, planar, compression, layout in product(
        (1, 4, 8, 16, 32), "<>", (1, 2), (RAW, DEFLATE, PACKBITS), ("", "strips", "tiles")
    ):
        values = ramps(3, bits)
        options = {"planar": planar, "compression": compression, "layout": layout}
        name = f"{bits} {order} {planar} {compression} {layout}"
        yield name, tiff(values, bits, RGB, order=order, **options), to_8_bit(values, bits)


def test_colour() -> None:
    usual = product((8, 16), "<>", (1, 2), (RAW, DEFLATE, PACKBITS), ("", "strips", "tiles"))
    assert read_of(colours()) == {" ".join(map(str, case)) for case in usual}


def with_alpha(bits: int) -> Iterator[Case]:
    """`extra`: None for a file that does not say it, 0 something else, 1 multiplied, 2 apart."""
    for photometric, extra, order, planar, compression, layout in product(
        (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB), (None, 0, 1, 2), "<>", (1, 2), (RAW, DEFLATE),
        ("", "tiles"),
    ):  # fmt: skip
        if photometric == WHITE_IS_ZERO and extra == 1:
            continue
        most = 2**bits - 1
        values = ramps(3 if photometric == RGB else 1, bits)
        alpha = ramps(4, bits)[..., 3:]
        stored, over_white = values, (values * alpha + most * (most - alpha)) / most
        if extra == 1:
            stored = values * alpha // most
            over_white = stored + most - alpha
        if photometric == WHITE_IS_ZERO:
            stored = most - stored
        options = {"planar": planar, "compression": compression, "layout": layout}
        extras = None if extra is None else [extra]
        data = tiff(
            np.dstack([stored, alpha]), bits, photometric, order=order, extra=extras, **options
        )
        expected = to_8_bit(values if extra == 0 else over_white, bits)
        yield f"{photometric} {extra} {order} {planar} {compression} {layout}", data, expected


# Of 16 bits Pillow keeps the upper 8, of the colour and of its alpha.
@pytest.mark.parametrize(("bits", "tolerance"), [(8, 1), (16, 3)])
def test_alpha(bits: int, tolerance: int) -> None:
    read = read_of(with_alpha(bits), tolerance)
    usual = product((RGB,), (0, 1, 2), "<>", (1,), (RAW, DEFLATE), ("", "tiles"))
    gray = product(
        (BLACK_IS_ZERO,) if bits == 8 else (), (1, 2), "<>", (1,), (RAW, DEFLATE), ("", "tiles")
    )
    planes = product((RGB,), (2,), "<>", (2,), (RAW, DEFLATE), ("", "tiles"))
    assert read >= {" ".join(map(str, case)) for case in (*usual, *gray, *planes)}


def palettes() -> Iterator[Case]:
    generator = np.random.default_rng(0)
    for bits, order, fill, planar, compression, scale, layout in product(
        (1, 2, 4, 8), "<>", (1, 2), (1, 2), (RAW, DEFLATE), (1, 256, 257), ("", "tiles")
    ):
        numbers = generator.integers(0, 2**bits, (SIDE_H, SIDE_W, 1))
        colours = generator.integers(0, 256, (3, 2**bits))
        data = tiff(
            numbers, bits, PALETTE, order=order, fill=fill, planar=planar, compression=compression,
            layout=layout, colours=(colours * scale).ravel().tolist(),
        )  # fmt: skip
        name = f"{bits} {order} {fill} {planar} {compression} {scale} {layout}"
        yield name, data, colours.T[numbers[..., 0]].astype(np.float64)


def test_palettes_of_16_bits_and_of_8() -> None:
    usual = product((1, 2, 4, 8), "<>", (1,), (1,), (RAW, DEFLATE), (1, 256, 257), ("", "tiles"))
    assert read_of(palettes(), 0) >= {" ".join(map(str, case)) for case in usual}


def of_other_colours() -> Iterator[Case]:
    for bits, order, planar, compression in product((8, 16), "<>", (1, 2), (RAW, DEFLATE)):
        most = 2**bits - 1
        values = ramps(4, bits) // 2
        red_green_blue = (most - values[..., :3]) * (most - values[..., 3:]) / most
        data = tiff(values, bits, CMYK, order=order, planar=planar, compression=compression)
        name = f"CMYK {bits} {order} {planar} {compression}"
        yield name, data, to_8_bit(red_green_blue, bits)
    yield (
        "inks",
        tiff(ramps(4, 8), 8, CMYK, more=[(332, [2])]),
        np.zeros((SIDE_H, SIDE_W, 3)),
    )
    luma, blue, red = np.moveaxis(96 + ramps(3, 8) // 4, 2, 0)
    rgb = [
        luma + 1.402 * (red - 128),
        luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
        luma + 1.772 * (blue - 128),
    ]
    for planar, compression, said in product((1, 2), (RAW, DEFLATE), (True, False)):
        if compression == DEFLATE and not said:
            continue  # it would be subsampled
        stored = np.dstack([luma, blue, red])
        more = [(530, [1, 1])] if said else []
        data = tiff(stored, 8, YCBCR, planar=planar, compression=compression, more=more)
        yield f"YCbCr {planar} {compression} {said}", data, np.dstack(rgb).clip(0, 255)
    for planar, compression in product((1, 2), (RAW, DEFLATE)):
        light = 150 + ramps(1, 8)[..., 0] // 4
        stored = np.dstack([light, np.full_like(light, 10), np.full_like(light, 256 - 10)])
        data = tiff(stored, 8, LAB, planar=planar, compression=compression)
        yield f"LAB {planar} {compression}", data, srgb_of(light / 2.55, 10, -10)


def srgb_of(light_HW: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
    """CIELAB of illuminant D50 in sRGB, 0...255, by the formulas of CIE 15 and IEC 61966-2-1."""
    middle = (light_HW + 16) / 116
    roots = np.dstack([middle + a / 500, middle, middle - b / 200])
    cubes = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    xyz = cubes * (0.9642, 1, 0.8249)
    bradford = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    linear = (xyz @ np.array(bradford).T).clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * curved)


def test_other_colours() -> None:
    read = read_of(of_other_colours(), tolerance=2)
    assert read >= {
        f"CMYK {bits} {order} 1 {kind}" for bits in (8, 16) for order in "<>" for kind in (1, 8)
    }
    assert read >= {"YCbCr 1 1 True", "YCbCr 1 8 True", "LAB 1 1", "LAB 1 8"}
    assert not read & {"inks", "YCbCr 1 1 False", "LAB 2 1", "LAB 2 8"}


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_samples_are_refused(bits: int) -> None:
    data = tiff(ramps(1, bits), bits, BLACK_IS_ZERO, more=[(339, [2])])
    with pytest.raises(Unreadable, match="signed pixels have no known range; save it with 8 or 16"):
        read_image(file(data))


def test_a_file_that_does_not_say_what_0_is_is_refused() -> None:
    data = tiff(ramps(1, 8), 8, None)
    with pytest.raises(Unreadable, match=r"does not say if 0 is black or white .*; save it anew"):
        read_image(file(data))


def test_what_is_not_read_is_named() -> None:
    with pytest.raises(
        Unreadable, match=r"TIFF file .* \(16 bits, photometric interpretation 34892\)"
    ):
        read_image(file(tiff(ramps(1, 16), 16, 34892)))


def test_misread_planes_of_an_image_that_was_loaded_already_are_refused() -> None:
    opened = Image.open(io.BytesIO(tiff(ramps(3, 16), 16, RGB, planar=2)))
    opened.load()
    with pytest.raises(Unreadable, match="which Pillow has misread; give its path"):
        plain_image(opened)


def test_opencv_reads_the_same() -> None:
    """Another decoder of the same files, where it takes them: a check of the files too."""
    agreed = 0
    for name, data, _ in (*grays(), *colours()):
        if "tiles" in name or " 2 2 " in name or name.split()[1] in ("2", "4", "12", "32"):
            continue
        if name.split()[0] in ("1", "4", "32") and len(name.split()) == 4:
            continue
        try:
            pixels = in_colour(read_image(file(data)))
        except Unreadable:
            continue
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if other is None:
            continue
        assert np.abs(pixels - other).max() <= 1, name
        agreed += 1
    assert agreed > 60
