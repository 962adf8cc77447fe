"""One image file to pixels: whatever a camera or tool wrote, as 8-bit grayscale or RGB.

Turned upright by its EXIF orientation; the first frame of an animation or of several pages;
transparency laid over white; 16-bit grayscale scaled, not clipped. Pixels without a known range
(floating point, 32-bit integers) are refused.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# Formats by content, whatever the suffix says. Pillow knows more, but some of those run other
# programs (Ghostscript for EPS), which a file from anywhere must not.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM")

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
INTERPOLATIONS = tuple(_FILTERS)
"""Names of Pillow's resampling filters that `decode` takes; both are antialiased."""

_BITS_PER_SAMPLE = 258  # TIFF tag


class Unreadable(Exception):
    """An image file cannot be decoded; the text says why, without the file's name."""


def is_grayscale(path: Path) -> bool:
    """Whether a file holds grayscale pixels, by its header alone; raises `Unreadable`."""
    try:
        with _open(path) as image:
            _white_level(image)
            return image.mode[:1] in ("1", "L", "I") and image.mode != "LAB"
    except Exception as error:
        raise Unreadable(_explain(path, error)) from None


def read_image(path: Path) -> Image.Image:
    """Decode at full size to 8 bits, upright: mode "L" or "RGB". Raises `Unreadable`."""
    try:
        with _open(path) as image:
            white = _white_level(image)
            return _to_8_bit(ImageOps.exif_transpose(image), white)
    except Exception as error:  # Pillow's decoders raise many kinds over a damaged file
        raise Unreadable(_explain(path, error)) from None


def decode(path: Path, size: int, interpolation: str, channels: int) -> NDArray[np.uint8]:
    """Decode, resize to round(size * 256 / 224) squared and crop the centre.

    Returns uint8 [size, size, channels]. With 3 channels grayscale is repeated; 1 channel is for
    files that `is_grayscale` holds of. Raises `Unreadable` for anything that is wrong with the
    file, a size past Pillow's limit against decompression bombs included.
    """
    plain = read_image(path)
    side = round(size * 256 / 224)
    start = (side - size) // 2
    resized = plain.resize((side, side), _FILTERS[interpolation])
    cropped = resized.crop((start, start, start + size, start + size))
    if channels == 3:
        cropped = cropped.convert("RGB")
    return np.asarray(cropped).reshape(size, size, channels)


def _open(path: Path) -> Image.Image:
    if path.stat().st_size == 0:
        raise Unreadable("the file is empty")
    image = Image.open(path, formats=_FORMATS)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        # Pillow itself only warns up to twice its limit.
        image.close()
        raise Image.DecompressionBombError(
            f"{image.width} x {image.height} pixels exceed the limit of {limit}"
        )
    return image


def _white_level(image: Image.Image) -> int:
    """Return the value of white in an image as it was opened; raises `Unreadable` if unknown."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        return int(2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1)  # a TIFF file may hold 12 bits
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 2**16 - 1
    if image.mode in ("I", "F"):
        kind = "floating-point" if image.mode == "F" else "32-bit integer"
        raise Unreadable(f"{kind} pixels have no known range; save it with 8 or 16 bits instead")
    return 255


def _to_8_bit(image: Image.Image, white: int) -> Image.Image:
    """Return the image in mode L or RGB."""
    mode = image.mode
    if mode.startswith("I"):
        values_HW = np.asarray(image).astype(np.int64)
        return Image.fromarray(((values_HW * 255 + white // 2) // white).astype(np.uint8))
    if mode in ("LA", "La") or (mode in ("1", "L") and "transparency" in image.info):
        return _over_white(image.convert("LA"), "L")
    if mode in ("PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _over_white(image.convert("RGBA"), "RGB")
    return image.convert("L" if mode in ("1", "L") else "RGB")


def _over_white(image: Image.Image, mode: str) -> Image.Image:
    background = Image.new(mode, image.size, "white")
    background.paste(image.convert(mode), mask=image.getchannel("A"))
    return background


def _explain(path: Path, error: Exception) -> str:
    if isinstance(error, Unreadable | Image.DecompressionBombError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    return f"damaged ({error or type(error).__name__})".replace(str(path), path.name)
