"""TIFF files that Pillow takes for something else than they are: mended, or refused.

What is right was found with files of known samples, in every combination that tests/images/
test_tiff.py writes.
"""

import struct
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin

from mixqual.images.unreadable import Unreadable

_BITS = TiffImagePlugin.BITSPERSAMPLE
_COMPRESSION = TiffImagePlugin.COMPRESSION
_PHOTOMETRIC = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION
_SAMPLES = TiffImagePlugin.SAMPLESPERPIXEL
_PLANAR = TiffImagePlugin.PLANAR_CONFIGURATION
_EXTRA = TiffImagePlugin.EXTRASAMPLES
_FORMAT = TiffImagePlugin.SAMPLEFORMAT
_FILL_ORDER = TiffImagePlugin.FILLORDER
_INK_SET = 332
_SIGNED = 2
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_OLD_JPEG = 6
_BANDS = {_RGB: 3, _CMYK: 4, _YCBCR: 3}
_PLAIN_YCBCR = {
    529: (0.299, 0.587, 0.114),  # coefficients
    530: (1, 1),  # subsampling
    532: (0, 255, 128, 255, 128, 255),  # reference black and white
}
_DEFAULTS = {529: (0.299, 0.587, 0.114), 530: (2, 2), 532: (0, 255, 128, 255, 128, 255)}


def prepare(image: Image.Image) -> None:
    """Have an image that was opened, if it is a TIFF file's, decoded rightly when it is loaded.

    Raises `Unreadable` if Pillow cannot: for signed samples, YCbCr that is not compressed but
    subsampled, most kinds of separate planes with other than three samples of a colour, and files
    that do not say whether 0 is black or white.
    """
    tags = tags_of(image)
    if not tags:
        return
    bits, samples, photometric = bits_of(tags), tags.get(_SAMPLES, 1), tags.get(_PHOTOMETRIC)
    raw = tags.get(_COMPRESSION, 1) == 1
    if photometric is None and tags.get(_COMPRESSION) != _OLD_JPEG:
        raise Unreadable(
            "a TIFF file that does not say if 0 is black or white (PhotometricInterpretation); "
            "save it anew with that"
        )
    if _SIGNED in tags.get(_FORMAT, ()) and bits <= 16:
        raise Unreadable("signed pixels have no known range; save it with 8 or 16 unsigned bits")
    if photometric == _CMYK and tags.get(_INK_SET, 1) != 1:
        raise Unreadable("a TIFF file of inks that are not CMYK; save it in RGB")
    if photometric == _YCBCR and raw:
        for tag, plain in _PLAIN_YCBCR.items():
            found = tags.get(tag, _DEFAULTS[tag])
            if any(abs(a - b) > 1e-3 for a, b in zip(map(float, found), plain, strict=True)):
                raise Unreadable(
                    "a TIFF file of YCbCr that is subsampled, or of other than usual levels, but "
                    "not compressed; save it in RGB"
                )
    if tags.get(_PLANAR, 1) == 2:
        _prepare_planes(image, tags, raw, bits, samples)


def _prepare_planes(image: Image.Image, tags: Any, raw: bool, bits: int, samples: int) -> None:
    if not _planes_are_read(tags, raw, bits, samples):
        raise Unreadable(
            f"a TIFF file of {samples} x {bits} bits in separate planes of a kind that is not "
            "read; save it with the samples of a pixel together (PlanarConfiguration 1)"
        )
    if raw and bits == 16:
        tiles: list[Any] = getattr(image, "tile", [])
        if not tiles:
            raise Unreadable(
                "a TIFF file of 16 bits in separate planes, which Pillow has misread; "
                "give its path instead"
            )
        # Pillow takes each plane's samples for bytes.
        order = "L" if tags.prefix == b"II" else "B"
        for number, tile in enumerate(tiles):
            plane, *rest = tile.args
            if len(plane) == 1:
                tiles[number] = tile._replace(args=(f"{plane};16{order}", *rest))


def _planes_are_read(tags: Any, raw: bool, bits: int, samples: int) -> bool:
    photometric, extra = tags.get(_PHOTOMETRIC), tuple(tags.get(_EXTRA, ()))
    whole = samples == _BANDS.get(photometric, 1) + len(extra)
    if not raw:
        if photometric in _BANDS:
            return whole
        return (
            whole and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE) and not any(extra)
        )
    if photometric == _RGB:
        return whole and bits in (8, 16) and extra in ((), (2,))
    if photometric == _CMYK:
        return whole and bits == 8 and not extra
    plain = (8, 1) if photometric == _BLACK_IS_ZERO else (8,) if photometric == _PALETTE else ()
    return samples == 1 and bits in plain and tags.get(_FILL_ORDER, 1) == 1


def white_is_zero(tags: Any) -> bool:
    """Whether samples count from white; Pillow turns those of up to 8 bits the right way round."""
    return bool(tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def with_its_colours(image: Image.Image, tags: Any) -> Image.Image:
    """A loaded image in colours of a palette of 8 bits, whose upper bits Pillow takes: all black.

    libtiff does so as well: a palette without a number past 255 is one of 8 bits. Other images are
    returned as they are.
    """
    colours = tags.get(TiffImagePlugin.COLORMAP, ()) if image.mode in ("P", "PA") and tags else ()
    if not colours or max(colours) > 255:
        return image
    mended = image.copy()
    mended.putpalette(bytes(colours), "RGB;L")
    return mended


def describe(file: BinaryIO) -> str:
    """The kind of pixels of a TIFF file that Pillow does not open; empty if it cannot be seen."""
    try:
        file.seek(0)
        header = file.read(8)
        header += file.read(8) if header[2:4] in (b"\x2b\0", b"\0\x2b") else b""
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        if _PHOTOMETRIC not in tags:
            return ""
        bits = "+".join(str(number) for number in tags.get(_BITS, (1,)))
        return f"{bits} bits, photometric interpretation {tags.get(_PHOTOMETRIC)}"
    except (OSError, SyntaxError, KeyError, IndexError, TypeError, ValueError, struct.error):
        return ""


def tags_of(image: Image.Image) -> Any:
    """The tags of an image as it was opened from a TIFF file, by number; else empty."""
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def bits_of(tags: Any) -> int:
    """The bits of the first sample."""
    return int(tags.get(_BITS, (1,))[0])
