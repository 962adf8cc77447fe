"""One image file to pixels: whatever a camera or tool wrote, as 8-bit grayscale or RGB.

Turned upright by its EXIF orientation (as it is stored if the EXIF data are damaged); the first
frame of an animation or of several pages; transparency laid over white; 16-bit grayscale scaled,
not clipped; of 16-bit colour the upper 8 bits, which is all that Pillow reads. Pixels without a
known range (floating point, 32-bit integers) are refused, and so is a file whose header claims
more pixels than Pillow's limit, or whose pixels would cost too much (see `limits.py`), before any
memory is taken for them.

On request a JPEG file is decoded at a half, a quarter or an eighth of its size, which libjpeg does
by a smaller inverse DCT: every pixel is then about the mean of a square of them.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from mixqual.images.eight_bits import samples_of, spare_bits, to_8_bit
from mixqual.images.embedded import Embedded
from mixqual.images.limits import check_scans
from mixqual.images.opening import explain, identify, open_file
from mixqual.images.tiff import prepare
from mixqual.images.unreadable import TooLarge, Unreadable

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
INTERPOLATIONS = tuple(_FILTERS)
"""Names of Pillow's resampling filters that `decode` takes; both are antialiased."""

_REDUCED_TO = 2.0
"""A JPEG file that is read at a reduced scale keeps this many times the side it is resized to."""

_ROWS = 64  # at once: a copy of all pixels of a large image would not fit into a cache
_ORIENTATION = 274  # TIFF and EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Header(NamedTuple):
    """What a file says of its image before any pixel is decoded."""

    format: str
    """Pillow's name of it, such as "JPEG"."""
    mode: str
    """Pillow's name for the kind of pixels, such as "L", "RGB" or "P"."""
    width: int
    height: int
    bits: int
    """Per sample: 16 or 8, or 1 for black and white."""
    transparent: bool
    animated: bool
    """Whether there are several frames or pages."""

    @property
    def grayscale(self) -> bool:
        """Whether all pixels are shades of gray by their kind."""
        return self.mode[:1] in ("1", "L", "I") and self.mode != "LAB"


class Content(NamedTuple):
    """What decoding a whole file tells of it. Hashes are BLAKE2b of 16 bytes, in hexadecimal."""

    file_hash: str
    """Of the file's bytes."""
    pixel_hash: str
    """Of the 8-bit pixels at full size, upright, with their mode (L or RGB) and size."""
    turned: bool
    """Whether an EXIF orientation turns or mirrors it."""
    spare_bits: int | None = None
    """Of an image of 16 bits, how many of the upper ones no number of it uses; None for others."""


def read_header(path: Path | Embedded) -> Header:
    """Read what a file says of its image, without its pixels; raises `Unreadable`."""
    try:
        with open_file(path) as file, identify(file) as image:
            samples_of(image)
            return Header(
                format=image.format or "",
                mode=image.mode,
                width=image.width,
                height=image.height,
                bits=_bits(image),
                transparent=image.has_transparency_data,
                animated=_is_animated(image),
            )
    except TooLarge:
        raise
    except Exception as error:
        raise Unreadable(explain(path, error)) from None


def read_image(path: Path | Embedded) -> Image.Image:
    """Decode at full size to 8 bits, upright: mode "L" or "RGB". Raises `Unreadable`.

    That is `TooLarge` where a limit of `limits.py` is exceeded.
    """
    return _read(path, None)[0]


def hash_file(path: Path | Embedded) -> str:
    """What `Content.file_hash` is of a file; raises `Unreadable` or `OSError`."""
    with open_file(path) as file:
        return _hash([file.read()])


def examine(path: Path | Embedded, reduced_for: int | None = None) -> tuple[Image.Image, Content]:
    """Read a file once, and return its image as `read_image` does, and what there is to tell of it.

    With `reduced_for`, the `size` of a later `crop`, a JPEG file comes at the smallest of 1/2, 1/4
    and 1/8 of its size that divides both sides and leaves twice what `crop` resizes to, if there is
    one; and so do the pixels that are hashed. Raises `Unreadable`.
    """
    plain, data, turned, spare = _read(path, reduced_for)
    return plain, Content(_hash([data]), _hash(_pixels(plain)), turned, spare)


def plain_image(image: Image.Image) -> Image.Image:
    """Return an image that a program has opened or made as `read_image` gives it from its file.

    Upright by the EXIF orientation that it still has, of the frame that it is at; it may be loaded
    by this, but is not changed. Raises `Unreadable`.
    """
    try:
        prepare(image)
        plain, _ = _plain(image)
        return plain
    except Exception as error:  # it may be closed, or its file damaged
        raise Unreadable(explain(Path(), error)) from None


def _read(
    path: Path | Embedded, reduced_for: int | None
) -> tuple[Image.Image, bytes, bool, int | None]:
    """The image of `examine`, the file's bytes, whether it was turned, and its spare bits of 16."""
    try:
        with open_file(path) as file:
            data = file.read()
        with identify(io.BytesIO(data)) as image:
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                check_scans(data, image.width * image.height)
            turned = image.format == "TIFF" and _orientation(image) != 1
            deep = _bits(image) == 16
            if reduced_for is not None:
                _reduce(image, reduced_for)
            plain, turned_here = _plain(image)
            spare = spare_bits(image, plain) if deep else None
        return plain, data, turned or turned_here, spare
    except TooLarge:
        raise
    except MemoryError:
        raise TooLarge("does not fit into memory") from None
    except Exception as error:  # Pillow's decoders raise many kinds over a damaged file
        raise Unreadable(explain(path, error)) from None


def _plain(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return an image with 8 bits and upright, and whether it had to be turned for that."""
    samples = samples_of(image)
    image.load()  # and it may have been turned now: Pillow does so for TIFF
    orientation = _orientation(image)
    upright = image if orientation == 1 else image.transpose(_UPRIGHT[orientation])
    return to_8_bit(upright, samples), orientation != 1


def decode(
    path: Path | Embedded, size: int, interpolation: str, channels: int
) -> NDArray[np.uint8]:
    """Decode, resize to round(size * 256 / 224) squared and crop the centre.

    Returns uint8 [size, size, channels]. With 3 channels grayscale is repeated; 1 channel is for
    files whose header is `grayscale`. Raises `Unreadable` for anything that is wrong with the
    file, a size past Pillow's limit against decompression bombs included.
    """
    return crop(read_image(path), size, interpolation, channels)


def crop(plain: Image.Image, size: int, interpolation: str, channels: int) -> NDArray[np.uint8]:
    """Resize and crop an image of `read_image` as `decode` does; raises `Unreadable`.

    That is for an image in colour where 1 channel is asked for: its header was another.
    """
    if channels == 1 and plain.mode != "L":
        raise Unreadable("in colour, though its header said gray before; touch it and run again")
    side = _resized_side(size)
    start = (side - size) // 2
    resized = plain.resize((side, side), _FILTERS[interpolation])
    cropped = resized.crop((start, start, start + size, start + size))
    if channels == 3:
        cropped = cropped.convert("RGB")
    return np.asarray(cropped).reshape(size, size, channels)


def _resized_side(size: int) -> int:
    """The side of the square of whose centre `size` pixels are kept."""
    return round(size * 256 / 224)


def _reduce(image: Image.Image, size: int) -> None:
    """Have a JPEG file that is not loaded yet decoded at a reduced scale, where that is allowed.

    Only at one that divides both sides: else the last row and column would stand for less of the
    picture than the others, and everything would shift a little.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return
    least = _REDUCED_TO * _resized_side(size)
    for scale in (8, 4, 2):
        divides = image.width % scale == 0 == image.height % scale
        if divides and min(image.size) // scale >= least:
            image.draft(None, (image.width // scale, image.height // scale))
            return


def _bits(image: Image.Image) -> int:
    if image.mode == "1":
        return 1
    tiles = getattr(image, "tile", None)
    raw = str(tiles[0][3]) if tiles else ""  # such as "RGB;16B", alone or in a tuple
    return 16 if image.mode.startswith("I") or ";16" in raw else 8


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a later frame is damaged; only the first is used
        return True


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION)
        return int(value) if value in _UPRIGHT else 1
    except Exception:  # the EXIF data are damaged, the pixels need not be
        return 1


def _pixels(plain: Image.Image) -> Iterator[bytes]:
    """What is hashed of an image, in parts."""
    width, height = plain.size
    yield f"{plain.mode} {width} {height} ".encode()
    for top in range(0, height, _ROWS):
        yield plain.crop((0, top, width, min(top + _ROWS, height))).tobytes()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
