"""A loaded image of any of Pillow's modes as 8-bit grayscale or RGB."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mixqual.images import tiff
from mixqual.images.unreadable import Unreadable

_REMEDY = "save it with 8 or 16 bits instead"


class Samples(NamedTuple):
    """What the numbers of an image mean, as far as its mode does not say so."""

    white: int = 255
    """The largest number."""
    inverted: bool = False
    """Whether 0 is white."""
    transparent: int | None = None
    """The gray that is transparent."""
    tags: Any = None
    """Those of a TIFF file."""


def samples_of(image: Image.Image) -> Samples:
    """Return what the numbers of an image mean, best before it is loaded; raises `Unreadable`.

    That is for pixels whose range is not known, and for a transparent colour of 16 bits, of which
    Pillow leaves 8.
    """
    tags, mode = tiff.tags_of(image), image.mode
    tiles = getattr(image, "tile", None)
    raw = str(tiles[0][3]) if tiles else ""
    key = image.info.get("transparency")
    if isinstance(key, tuple) and (";16" in raw or max(key) > 255):
        raise Unreadable("one colour of 16 bits is transparent; save it with an alpha channel")
    gray = key if isinstance(key, int) and mode[:1] in ("1", "L", "I") else None
    if mode.startswith("I;16"):
        bits = tiff.bits_of(tags) if tags else 16  # a TIFF file may hold 12
        return Samples(2**bits - 1, tiff.white_is_zero(tags), gray, tags)
    if mode == "I" and image.format in ("PNG", "PPM"):
        return Samples(2**16 - 1, transparent=gray)
    if mode in ("I", "F"):
        kind = "floating-point" if mode == "F" else "32-bit integer"
        raise Unreadable(f"{kind} pixels have no known range; {_REMEDY}")
    if gray is not None and mode == "L" and image.format == "PNG":
        # The key is as the file stores it, the pixels are spread to 8 bits.
        gray *= {"L;2": 85, "L;4": 17}.get(raw, 1)
    return Samples(transparent=gray, tags=tags)


def to_8_bit(image: Image.Image, samples: Samples) -> Image.Image:
    """Return a loaded image in mode L or RGB, what is transparent as white."""
    image = tiff.with_its_colours(image, samples.tags)
    mode = image.mode
    if mode.startswith("I"):
        return Image.fromarray(_grays(samples)[np.asarray(image)])
    if mode in ("1", "L") and samples.transparent is not None:
        light = image.convert("L")
        return light.point([255 if gray == samples.transparent else gray for gray in range(256)])
    if mode in ("LA", "La"):
        return _over_white(image.convert("LA"), "L")
    if mode in ("1", "L"):
        return image if mode == "L" else image.convert("L")
    if mode in ("PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _over_white(image.convert("RGBA"), "RGB")
    return image if mode == "RGB" else image.convert("RGB")


def spare_bits(image: Image.Image, plain: Image.Image) -> int:
    """How many upper bits of a loaded image of 16 no number of it uses; `plain` has its 8 bits.

    0 if they count from white. Of colour Pillow keeps the upper 8 bits, so that it may be 8 more.
    """
    samples = samples_of(image)
    if samples.inverted:
        return 0
    if image.mode.startswith("I"):
        most = int(np.asarray(image).max())
        return max(0, samples.white.bit_length() - most.bit_length())
    return 8 - int(np.asarray(plain).max()).bit_length()


def _grays(samples: Samples) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The 8-bit gray of each number that a pixel of up to 16 bits can be."""
    white = samples.white
    numbers = np.minimum(np.arange(2**16), white)
    if samples.inverted:
        numbers = white - numbers
    grays: np.ndarray[Any, np.dtype[np.uint8]] = ((numbers * 255 + white // 2) // white).astype(
        np.uint8
    )
    if samples.transparent is not None:
        grays[samples.transparent] = 255
    return grays


def _over_white(image: Image.Image, mode: str) -> Image.Image:
    background = Image.new(mode, image.size, "white")
    background.paste(image.convert(mode), mask=image.getchannel("A"))
    return background
