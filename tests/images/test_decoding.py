import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_files import gray, rgb, save
from PIL import Image

from mixqual.images import Unreadable, crop, decode, examine, read_header, read_image

# With 224 and images of 256 pixels nothing is resized: pixels are those of the centre.
SIZE, SIDE, MARGIN = 224, 256, 16


def pixels(path: Path, channels: int) -> np.ndarray:
    assert read_header(path).grayscale == (channels == 1)
    decoded_HWC = decode(path, SIZE, "bilinear", channels)
    assert decoded_HWC.shape == (SIZE, SIZE, channels)
    assert decoded_HWC.dtype == np.uint8
    return decoded_HWC


def centre(values: np.ndarray) -> np.ndarray:
    return values.reshape(SIDE, SIDE, -1)[MARGIN:-MARGIN, MARGIN:-MARGIN]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "pgm"])
def test_lossless_grayscale(tmp_path: Path, suffix: str) -> None:
    image = gray(side=SIDE)
    path = save(image, tmp_path / f"x.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    channels = 3 if suffix == "webp" else 1  # WebP knows no grayscale
    expected = np.broadcast_to(centre(np.asarray(image)), (SIZE, SIZE, channels))
    np.testing.assert_array_equal(pixels(path, channels), expected)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_lossless_colour(tmp_path: Path, suffix: str) -> None:
    image = rgb(side=SIDE)
    path = save(image, tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(pixels(path, 3), centre(np.asarray(image)))


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("width", "height", "size"), [(300, 300, 128), (90, 41, 57), (20, 70, 16)])
def test_geometry(tmp_path: Path, name: str, width: int, height: int, size: int) -> None:
    image = rgb(side=300).crop((0, 0, width, height))
    path = save(image, tmp_path / "x.png")
    side = int(size * 256 / 224 + 0.5)
    start = (side - size) // 2
    whole = np.asarray(image.resize((side, side), Image.Resampling[name.upper()]))
    expected = whole[start : start + size, start : start + size]
    np.testing.assert_array_equal(decode(path, size, name, 3), expected)


def test_resizing_is_antialiased(tmp_path: Path) -> None:
    checkers = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = save(Image.fromarray(checkers), tmp_path / "x.png")
    decoded_HWC = decode(path, 56, "bilinear", 1)
    assert decoded_HWC.min() >= 125
    assert decoded_HWC.max() <= 130


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    # Upright, the image has one white quarter: at the top left.
    upright = np.zeros((SIDE, SIDE), np.uint8)
    upright[: SIDE // 2, : SIDE // 2] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(stored), tmp_path / f"x.{suffix}", exif=exif)
    np.testing.assert_allclose(pixels(path, 1), centre(upright), atol=2)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grayscale_is_scaled(tmp_path: Path, suffix: str) -> None:
    values = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
    path = tmp_path / f"x.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 256 256 65535\n" + values.astype(">u2").tobytes())
    else:
        save(Image.fromarray(values), path)
    expected = np.floor(values / 257 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(pixels(path, 1), centre(expected))


def test_big_endian_and_12_bit_tiff(tmp_path: Path) -> None:
    def tiff(order: str, bits: int, data: bytes) -> bytes:
        tags = [(256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1)]
        tags += [(278, SIDE), (279, len(data))]
        offset = 8 + len(data)
        entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
        mark = b"II" if order == "<" else b"MM"
        head = mark + struct.pack(order + "HI", 42, offset)
        return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)

    values = (np.arange(SIDE * SIDE) % 65536).astype(">u2").reshape(SIDE, SIDE)
    (tmp_path / "big.tif").write_bytes(tiff(">", 16, values.tobytes()))
    expected = np.floor(values / 257 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(pixels(tmp_path / "big.tif", 1), centre(expected))

    (tmp_path / "white.tif").write_bytes(tiff("<", 12, b"\xff" * (SIDE * SIDE * 3 // 2)))
    assert pixels(tmp_path / "white.tif", 1).min() == 255


def test_1_bit(tmp_path: Path) -> None:
    image = gray(side=SIDE).point(lambda value: 255 * (value > 127))
    path = save(image.convert("1", dither=Image.Dither.NONE), tmp_path / "x.png")
    np.testing.assert_array_equal(pixels(path, 1), centre(np.asarray(image)))


def test_palette(tmp_path: Path) -> None:
    image = rgb(side=SIDE).quantize(16)
    path = save(image, tmp_path / "x.png")
    np.testing.assert_array_equal(pixels(path, 3), centre(np.asarray(image.convert("RGB"))))


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    colour, alpha = np.asarray(rgb(side=SIDE)), np.asarray(gray(1, SIDE))
    layers = Image.fromarray(np.dstack([colour, alpha]))
    path = save(layers, tmp_path / "rgba.png")
    weight = centre(alpha) / 255
    expected = weight * centre(colour) + (1 - weight) * 255
    np.testing.assert_allclose(pixels(path, 3), expected, atol=1)

    light = Image.merge("LA", (gray(side=SIDE), gray(1, SIDE)))
    path = save(light, tmp_path / "la.png")
    expected = weight * centre(np.asarray(gray(side=SIDE))) + (1 - weight) * 255
    np.testing.assert_allclose(pixels(path, 1), expected, atol=1)


def test_transparent_colour_of_a_palette_or_a_key(tmp_path: Path) -> None:
    flat = Image.new("P", (SIDE, SIDE), 0)
    flat.putpalette([10, 20, 30])
    path = save(flat, tmp_path / "palette.png", transparency=0)
    assert pixels(path, 3).min() == 255
    path = save(flat, tmp_path / "x.gif", transparency=0)
    assert pixels(path, 3).min() == 255
    path = save(Image.new("L", (SIDE, SIDE), 7), tmp_path / "l.png", transparency=7)
    assert pixels(path, 1).min() == 255
    path = save(Image.new("RGB", (SIDE, SIDE), "red"), tmp_path / "k.png", transparency=(255, 0, 0))
    assert pixels(path, 3).min() == 255


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0))
    for suffix in ("tif", "jpg"):
        path = save(image, tmp_path / f"x.{suffix}")
        red = np.broadcast_to(np.array([255, 0, 0]), (SIZE, SIZE, 3))
        np.testing.assert_allclose(pixels(path, 3), red, atol=3)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif", "mpo"])
def test_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "lime", "blue")]
    path = save(frames[0], tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:])
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == 3
    red = np.broadcast_to(np.array([255, 0, 0]), (SIZE, SIZE, 3))
    np.testing.assert_allclose(pixels(path, 3), red, atol=3)


def test_grayscale_among_colour(tmp_path: Path) -> None:
    path = save(gray(side=SIDE), tmp_path / "x.png")
    three_HWC = decode(path, SIZE, "bilinear", 3)
    np.testing.assert_array_equal(three_HWC, np.repeat(pixels(path, 1), 3, axis=2))


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG file whose header claims a size, with hardly any pixels in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 50_000])
def test_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    with pytest.raises(Unreadable, match=rf"exceed.* limit of \d+|{side * side} pixels\) exceeds"):
        read_header(bomb(tmp_path / "x.png", side, side))


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "gif", "webp", "ppm"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = save(rgb(side=SIDE), tmp_path / f"x.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Unreadable, match=r"damaged|not an image in a known format"):
        decode(path, SIZE, "bilinear", 3)


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not pixels")
    (tmp_path / "program.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    save(Image.new("F", (9, 9)), tmp_path / "float.tif")
    save(Image.new("I", (9, 9)), tmp_path / "int.tif")
    reasons = {
        "empty.png": "the file is empty",
        "text.jpg": "not an image in a known format",
        "program.png": "not an image in a known format, but a PostScript file; save it as PNG",
        "float.tif": "floating-point pixels have no known range",
        "int.tif": "32-bit integer pixels have no known range",
        "gone.png": "the file is missing",
    }
    for name, reason in reasons.items():
        for read in (read_header, lambda path: decode(path, 32, "bilinear", 3)):
            with pytest.raises(Unreadable, match=f"^{reason}"):
                read(tmp_path / name)


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    image = gray(side=SIDE)
    save(image, tmp_path / "x.png").rename(tmp_path / "x.jpg")
    np.testing.assert_array_equal(pixels(tmp_path / "x.jpg", 1), centre(np.asarray(image)))


def test_hashes_are_of_the_bytes_and_of_the_upright_pixels(tmp_path: Path) -> None:
    image = rgb()
    plain = save(image, tmp_path / "plain.png")
    packed = save(image, tmp_path / "packed.png", compress_level=0)
    bitmap = save(image, tmp_path / "x.bmp")
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = save(image.transpose(Image.Transpose.ROTATE_180), tmp_path / "turned.png", exif=exif)
    tiff = save(image.transpose(Image.Transpose.ROTATE_180), tmp_path / "turned.tif", exif=exif)
    found = [examine(path)[1] for path in (plain, packed, bitmap, turned, tiff)]
    assert len({content.pixel_hash for content in found}) == 1
    assert [content.turned for content in found] == [False, False, False, True, True]
    for path, content in zip((plain, packed, bitmap, turned, tiff), found, strict=True):
        expected = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        assert content.file_hash == expected


# Large JPEG files at a reduced scale


def photo(width: int, height: int) -> Image.Image:
    """Something smooth with some grain, and one bright quarter at the top left."""
    generator = np.random.default_rng(0)
    coarse_HWC = generator.integers(0, 200, (9, 12, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse_HWC).resize((width, height), Image.Resampling.BICUBIC)
    pixels_HWC = np.asarray(smooth) + generator.normal(0, 8, (height, width, 3))
    pixels_HWC[: height // 2, : width // 2] += 50
    return Image.fromarray(pixels_HWC.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [
        (1024, 768, 8),  # for a crop of 32 pixels from 37
        (768, 592, 8),  # 74 is just enough
        (768, 584, 4),  # 73 is not
        (516, 772, 4),  # which do not divide by eight
        (514, 770, 2),
        (513, 770, 1),
        (288, 160, 2),
        (288, 144, 1),
    ],
)
def test_large_jpeg_is_read_at_a_scale_that_leaves_twice_what_is_needed(
    tmp_path: Path, width: int, height: int, scale: int
) -> None:
    path = save(photo(width, height), tmp_path / "x.jpg", quality=90)
    reduced, content = examine(path, reduced_for=32)
    assert reduced.size == (width // scale, height // scale)
    whole, whole_content = examine(path)
    assert whole.size == (width, height)
    assert content.file_hash == whole_content.file_hash
    assert (content.pixel_hash == whole_content.pixel_hash) == (scale == 1)
    if scale > 1:  # each pixel is about the mean of those that it stands for
        means_HWC = np.asarray(whole.reduce(scale)).astype(int)
        assert np.abs(np.asarray(reduced) - means_HWC).mean() < 1.5


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_turned_and_looks_the_same(
    tmp_path: Path, orientation: int, subsampling: int, interpolation: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 90, "subsampling": subsampling, "exif": exif}
    path = save(photo(960, 720), tmp_path / "x.jpg", **options)
    reduced, content = examine(path, reduced_for=64)
    assert reduced.size in ((240, 180), (180, 240))
    assert content.turned == (orientation > 1)
    difference = crop(reduced, 64, interpolation, 3).astype(int)
    difference -= crop(read_image(path), 64, interpolation, 3)
    # docs/data.md: what was measured on photographs.
    assert np.abs(difference).mean() < 1
    assert np.abs(difference).max() <= 14


def test_other_kinds_of_jpeg_are_reduced_too(tmp_path: Path) -> None:
    image = photo(640, 592)
    exif = Image.Exif()
    exif[0x0112] = 1
    files = {
        "gray": save(image.convert("L"), tmp_path / "gray.jpg", quality=90),
        "progressive": save(image, tmp_path / "p.jpg", quality=90, progressive=True),
        "cmyk": save(image.convert("CMYK"), tmp_path / "c.jpg", quality=90),
        "mpo": save(image, tmp_path / "x.mpo", save_all=True, append_images=[image], exif=exif),
    }
    for name, path in files.items():
        reduced, _ = examine(path, reduced_for=64)
        assert reduced.size == (160, 148), name
        channels = 1 if name == "gray" else 3
        difference = crop(reduced, 64, "bilinear", channels).astype(int)
        difference -= decode(path, 64, "bilinear", channels)
        assert np.abs(difference).mean() < 1, name


def test_other_formats_are_never_reduced(tmp_path: Path) -> None:
    for suffix in ("png", "bmp", "tif", "webp", "gif", "ppm"):
        path = save(rgb(side=512), tmp_path / f"x.{suffix}")
        assert examine(path, reduced_for=16)[1] == examine(path)[1]


def test_a_damaged_jpeg_is_not_hidden_by_reducing_it(tmp_path: Path) -> None:
    path = save(photo(640, 480), tmp_path / "x.jpg", quality=90)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Unreadable, match="damaged"):
        examine(path, reduced_for=64)


def test_pixels_of_another_shape_or_value_have_another_hash(tmp_path: Path) -> None:
    flat = Image.new("L", (12, 2), 7)
    images = [flat, flat.resize((2, 12)), flat.resize((6, 4)), Image.new("RGB", (4, 2), (7, 7, 7))]
    images.append(flat.copy())
    images[-1].putpixel((11, 1), 8)
    hashes = {examine(save(image, tmp_path / "x.png"))[1].pixel_hash for image in images}
    assert len(hashes) == len(images)


def test_header(tmp_path: Path) -> None:
    clear = Image.merge("LA", (gray(), gray(1)))
    frames = {"save_all": True, "append_images": [gray(1)]}
    for image, suffix, options, expected in (
        (gray(side=9).resize((9, 5)), "png", {}, ("PNG", "L", 9, 5, 8, False, False)),
        (clear, "png", {}, ("PNG", "LA", 40, 40, 8, True, False)),
        (gray(), "tif", frames, ("TIFF", "L", 40, 40, 8, False, True)),
        (gray().convert("1"), "png", {}, ("PNG", "1", 40, 40, 1, False, False)),
        (rgb().convert("CMYK"), "jpg", {}, ("JPEG", "CMYK", 40, 40, 8, False, False)),
        (Image.new("I;16", (3, 4)), "png", {}, ("PNG", "I;16", 3, 4, 16, False, False)),
    ):
        header = read_header(save(image, tmp_path / f"x.{suffix}", **options))
        assert header == expected


def test_damaged_exif_data_leave_the_image_as_it_is_stored(tmp_path: Path) -> None:
    image = gray(side=SIDE)
    path = save(image, tmp_path / "x.png", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    np.testing.assert_array_equal(pixels(path, 1), centre(np.asarray(image)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("height", [1, 63, 64, 65, 200])
def test_the_hash_of_pixels_is_of_all_their_bytes(tmp_path: Path, mode: str, height: int) -> None:
    image = rgb(side=200).crop((0, 0, 30, height)).convert(mode)
    content = examine(save(image, tmp_path / "x.png"))[1]
    expected = hashlib.blake2b(f"{mode} 30 {height} ".encode() + image.tobytes(), digest_size=16)
    assert content.pixel_hash == expected.hexdigest()
