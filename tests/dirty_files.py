"""A folder as found in the wild: 200 odd, broken and hostile files, and what each must give."""

import os
import struct
import unicodedata
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE, SIDE, MARGIN = 56, 64, 4
"""With a crop of 56, images of 64 pixels are not resized: pixels are those of the centre."""

FILES = 200
BOMB = 20_000

ODD_NAMES = (
    "tab\t.png",
    "line\nbreak.png",
    "return\r.png",
    'double"quote.png',
    "single'quote.png",
    "back\\slash.png",
    "%s%d{0}.png",
    "-rf.png",
    " blank .png",
    "[red]bold[/red].png",
    "semi;colon,comma.png",
    "escape\x1b[31m.png",
    unicodedata.normalize("NFC", "café.png"),
    unicodedata.normalize("NFD", "café.png"),
    "\N{CAT}\N{ZERO WIDTH JOINER}\N{BLACK LARGE SQUARE}.png",
    "写真.png",
    "٣٤.png",
    "rtl\u202emark.png",
    "9" * 60 + ".png",
    "n" * 251 + ".png",
    "UPPER.PNG",
    "two.dots..png",
)


def picture(seed: int) -> NDArray[np.uint8]:
    """A smooth colour image, which JPEG hardly changes; values (SIDE, SIDE, 3)."""
    coarse = np.random.default_rng(seed).integers(30, 226, (3, 3, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + data + chunk(b"IEND", b"")


def encode(image: Image.Image | NDArray[np.uint8], kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Tiny files whose headers claim BOMB x BOMB pixels, by name."""
    small = encode(picture(0), "JPEG")
    frame = small.index(b"\xff\xc0") + 5  # height and width in the start of the frame
    tags = [(256, BOMB), (257, BOMB), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    tags += [(278, BOMB), (279, BOMB * BOMB)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return {
        "bomb.png": png(BOMB, BOMB, 8, 0, b""),
        "bomb.jpg": small[:frame] + struct.pack(">HH", BOMB, BOMB) + small[frame + 4 :],
        "bomb.ppm": b"P6 %d %d 255\n" % (BOMB, BOMB),
        "bomb.gif": b"GIF89a" + struct.pack("<HHBBB", BOMB, BOMB, 0, 0, 0)
        + b"," + struct.pack("<HHHHB", 0, 0, BOMB, BOMB, 0) + b"\x08\x01\x00\x00;",
        "bomb.bmp": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, BOMB, BOMB, 1, 24, 0, 0, 0, 0, 0, 0),
        "bomb.tif": struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
        + entries + bytes(4),
        "smaller_bomb.png": png(14_000, 14_000, 8, 0, b""),  # of which Pillow would only warn
    }  # fmt: skip


@dataclass
class DirtyFolder:
    """Where it is, and what must come out of it."""

    root: Path
    used: dict[str, tuple[NDArray[np.uint8], int]] = field(default_factory=dict)
    """Expected pixels (SIDE, SIDE, 3) by id, and how far they may be off."""
    refused: dict[str, str] = field(default_factory=dict)
    """A regular expression for the reason, by id."""

    def put(self, name: str, data: bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def use(self, name: str, data: bytes, pixels: NDArray[np.uint8], off: int = 0) -> None:
        self.used[self.put(name, data)] = (pixels, off)

    def refuse(self, name: str, data: bytes, reason: str) -> None:
        self.refused[self.put(name, data)] = reason


def make_dirty_folder(root: Path) -> DirtyFolder:
    found = DirtyFolder(root)
    _used(found)
    _turned(found)
    _refused(found)
    _not_files(found)
    for number, name in enumerate(ODD_NAMES):
        found.use(f"odd/{name}", encode(picture(100 + number), "PNG"), picture(100 + number))
    count = sum(len(files) for _, _, files in os.walk(root))
    for number in range(FILES - count):
        name = f"plain/{number:03d}.png"
        found.use(name, encode(picture(300 + number), "PNG"), picture(300 + number))
    return found


def _used(found: DirtyFolder) -> None:
    colour = picture(1)
    image = Image.fromarray(colour)
    gray = np.repeat(colour[..., :1], 3, axis=2)
    for name, kind, off, options in (
        ("progressive.jpg", "JPEG", 8, {"progressive": True, "quality": 95}),
        ("baseline.JPEG", "JPEG", 8, {"quality": 95}),
        ("strict.jpg", "JPEG", 8, {"exif": b"Exif\x00\x00these are no tags", "quality": 95}),
        ("plain.bmp", "BMP", 0, {}),
        ("plain.ppm", "PPM", 0, {}),
        ("lossless.webp", "WEBP", 0, {"lossless": True}),
        ("lzw.TIFF", "TIFF", 0, {"compression": "tiff_lzw"}),
        ("deflate.tif", "TIFF", 0, {"compression": "tiff_adobe_deflate"}),
        ("jpeg_inside.png", "JPEG", 8, {"quality": 95}),
        ("png_inside.jpeg", "PNG", 0, {}),
        ("webp_inside.gif", "WEBP", 0, {"lossless": True}),
        ("copy1.png", "PNG", 0, {}),
        ("copy2.png", "PNG", 0, {}),
        ("nested/deep/er/x.png", "PNG", 0, {}),
        ("folder.png/x.png", "PNG", 0, {}),
    ):
        found.use(f"odd/{name}", encode(image, kind, **options), colour, off)
    found.use("odd/cmyk.jpg", encode(image.convert("CMYK"), "JPEG", quality=95), colour, 8)
    found.use("odd/cmyk.tif", encode(image.convert("CMYK"), "TIFF"), colour)
    found.use("odd/trailing.png", encode(image, "PNG") + b"and more", colour)
    found.use("odd/trailing.jpg", encode(image, "JPEG", quality=95) + bytes(99), colour, 8)
    found.use("odd/gray.png", encode(colour[..., 0], "PNG"), gray)
    found.use("odd/gray.jpg", encode(colour[..., 0], "JPEG", quality=95), gray, 8)

    deep = (colour.astype(np.uint16) << 8) + np.arange(SIDE, dtype=np.uint16)[:, None]
    samples = deep.astype(">u2").view(np.uint8).reshape(SIDE, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    found.use("odd/rgb16.png", png(SIDE, SIDE, 16, 2, rows), colour)
    scaled = np.floor(deep[..., :1] / 257 + 0.5).astype(np.uint8)
    found.use("odd/gray16.png", encode(deep[..., 0], "PNG"), np.repeat(scaled, 3, axis=2))
    found.use("odd/gray16.tif", encode(deep[..., 0], "TIFF"), np.repeat(scaled, 3, axis=2))

    alpha = np.full((SIDE, SIDE, 1), 51, np.uint8)  # a fifth: 0.2 * value + 0.8 * 255
    over = np.round(0.2 * colour + 204).astype(np.uint8)
    found.use("odd/rgba.png", encode(np.dstack([colour, alpha]), "PNG"), over, 1)
    found.use("odd/rgba.webp", encode(np.dstack([colour, alpha]), "WEBP", lossless=True), over, 1)
    light = Image.merge("LA", (Image.fromarray(colour[..., 0]), Image.fromarray(alpha[..., 0])))
    found.use("odd/la.png", encode(light, "PNG"), np.repeat(over[..., :1], 3, axis=2), 1)
    flat = Image.new("P", (SIDE, SIDE), 1)
    flat.putpalette([1, 2, 3, 40, 50, 60])
    plain = np.broadcast_to(np.array([40, 50, 60], np.uint8), (SIDE, SIDE, 3))
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    found.use("odd/palette.png", encode(flat, "PNG"), plain)
    found.use("odd/palette.gif", encode(flat, "GIF"), plain)
    found.use("odd/palette_alpha.png", encode(flat, "PNG", transparency=1), white)
    found.use("odd/bits.png", encode(Image.new("1", (SIDE, SIDE), 1), "PNG"), white)
    found.use("odd/one.png", encode(Image.new("RGB", (1, 1), (40, 50, 60)), "PNG"), plain)
    found.use("odd/line.png", encode(Image.new("RGB", (1, 900), (40, 50, 60)), "PNG"), plain)

    frames = [Image.new("RGB", (SIDE, SIDE), shade) for shade in ((40, 50, 60), "lime", "blue")]
    several = {"save_all": True, "append_images": frames[1:]}
    for name, kind, off, options in (
        ("animated.gif", "GIF", 3, {}),
        ("animated.webp", "WEBP", 0, {"lossless": True}),
        ("animated.png", "PNG", 0, {}),
        ("pages.tif", "TIFF", 0, {}),
        ("stereo.jpg", "MPO", 3, {"quality": 95}),
    ):
        data = encode(frames[0], kind, **several, **options)
        found.use(f"odd/{name}", data, plain, off)
    data = encode(frames[0], "GIF", **several)
    found.use("odd/cut_later.gif", data[: len(data) * 5 // 6], plain, 3)


def _turned(found: DirtyFolder) -> None:
    upright = picture(2)
    stored = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }
    for orientation, pixels in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = np.ascontiguousarray(pixels)
        for kind, suffix, off in (("JPEG", "jpg", 8), ("PNG", "png", 0), ("TIFF", "tif", 0)):
            data = encode(pixels, kind, exif=exif, quality=95)
            found.use(f"odd/exif{orientation}.{suffix}", data, upright, off)


def _refused(found: DirtyFolder) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    for kind, suffix in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("GIF", "gif"),
        ("WEBP", "webp"),
        ("TIFF", "tif"),
        ("BMP", "bmp"),
        ("PPM", "ppm"),
    ):
        data = encode(image, kind)
        for share in (1, 2, 3):
            cut = data[: len(data) * share // 4]
            name = f"odd/cut{share}.{suffix}"
            found.refuse(name, cut, r"damaged|not an image in a known format")
        found.refuse(f"odd/head.{suffix}", data[:9], r"damaged|not an image in a known format")
    for name, data in bombs().items():
        found.refuse(f"odd/{name}", data, r"exceed")
    whole = encode(image, "PNG")
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    found.refuse("odd/flipped.png", flipped, "damaged")
    text = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**24)))
    found.refuse("odd/text_bomb.png", png(9, 9, 8, 0, bytes(90), text), "damaged")
    nothing = r"no pixels|damaged|not an image in a known format"
    found.refuse("odd/nothing.png", png(0, 0, 8, 0, b""), nothing)
    found.refuse("odd/empty.png", b"", "the file is empty")
    found.refuse("odd/empty.JPG", b"", "the file is empty")
    found.refuse("odd/text.jpg", b"these are no pixels\n", "not an image in a known format")
    found.refuse("odd/page.png", b"<!DOCTYPE html><html></html>", "not an image in a known format")
    found.refuse("odd/program.png", b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image in a known format")
    found.refuse("odd/float.tif", encode(Image.new("F", (9, 9)), "TIFF"), "floating-point")
    found.refuse("odd/int.tif", encode(Image.new("I", (9, 9)), "TIFF"), "32-bit integer")
    found.refuse("odd/Thumbs.db", b"x", "not an image by its suffix")
    found.refuse("odd/notes.txt", b"x", "not an image by its suffix")
    found.refuse("outside.png", encode(picture(3), "PNG"), "outside of any class folder")
    found.put("odd/.hidden.png", b"")
    found.put("odd/.hidden/x.png", b"")


def _not_files(found: DirtyFolder) -> None:
    odd = found.root / "odd"
    os.mkfifo(odd / "pipe.png")
    found.refused["odd/pipe.png"] = "not a regular file"
    for name, target in (
        ("dangling.png", "nowhere.png"),
        ("loop.png", "loop.png"),
        ("endless.png", "/dev/zero"),
    ):
        (odd / name).symlink_to(target)
        found.refused[f"odd/{name}"] = r"a broken link|not a regular file"
    (odd / "link.png").symlink_to("copy1.png")
    found.used["odd/link.png"] = found.used["odd/copy1.png"]
    (odd / "back").symlink_to("..")  # to a folder above, without an end
    (odd / os.fsdecode(b"latin\xe9.png")).write_bytes(encode(picture(4), "PNG"))
    found.refused["odd/latin?.png"] = "not valid UTF-8"
