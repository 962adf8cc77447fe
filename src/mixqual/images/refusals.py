"""What a file is that Pillow does not open, by its first bytes, and why it is not read."""

import struct
from collections.abc import Callable, Sequence
from typing import BinaryIO

from PIL import Image

from mixqual.images import tiff

SAVE = "save it as PNG, JPEG or WebP"
_UNKNOWN = "not an image in a known format"

# What is found under the names of images: where a mark is, its bytes in lower case, its name.
_OTHER_FORMATS = (
    (4, b"ftypavif", "an AVIF file"),
    (4, b"ftypavis", "an AVIF file"),
    (4, b"ftyphei", "a HEIF file"),
    (4, b"ftyphev", "a HEIF file"),
    (4, b"ftypmif1", "a HEIF or AVIF file"),
    (4, b"ftypmsf1", "a HEIF or AVIF file"),
    (4, b"ftypcrx", "a camera's raw file"),
    (0, b"fujifilmccd-raw", "a camera's raw file"),
    (0, b"\0\0\0\x0cjxl ", "a JPEG XL file"),
    (0, b"\xff\x0a", "a JPEG XL file"),
    (0, b"\0\0\0\x0cjp  ", "a JPEG 2000 file"),
    (0, b"\xff\x4f\xff\x51".lower(), "a JPEG 2000 file"),
    (0, b"ii\xbc\1", "a JPEG XR file"),
    (0, b"8bps", "a Photoshop file"),
    (0, b"\0\0\1\0", "an icon file"),
    (0, b"%!ps", "a PostScript file"),
    (0, b"%pdf", "a PDF file"),
    (0, b"<svg", "an SVG file"),
    (0, b"<?xml", "an SVG or other XML file"),
    (128, b"dicm", "a DICOM file"),
    (0, b"simple  =", "a FITS file"),
    (0, b"v/1\1", "an OpenEXR file"),
    (0, b"#?radiance", "a Radiance file"),
    (0, b"pf", "a floating-point PPM file"),
    (0, b"p7", "a PAM file"),
    (0, b"\x89hdf", "an HDF5 file"),
    (0, b"\x93numpy", "a NumPy file"),
)
_NO_IMAGES = (
    (0, b"<!doctype", "a page of HTML"),
    (0, b"<html", "a page of HTML"),
    (0, b"\0\5\x16\7", "what macOS keeps beside a file"),
    (0, b"version https://git-lfs", "a pointer of Git LFS"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"pk\3\4", "a zip archive"),
)


def _accepted(accepts: Callable[[bytes], object], start: bytes) -> bool:
    try:
        return bool(accepts(start))
    except (IndexError, struct.error):  # there are fewer bytes than it looks at
        return False


def why_unknown(file: BinaryIO, formats: Sequence[str]) -> str:
    """Return why a file that is none of Pillow's `formats`, or a damaged one, is not read."""
    file.seek(0)
    start = file.read(256)
    for at, mark, name in _NO_IMAGES:
        if start.lower().startswith(mark, at):
            return f"{_UNKNOWN}, but {name}"
    for at, mark, name in _OTHER_FORMATS:
        if start.lower().startswith(mark, at):
            return f"{_UNKNOWN}, but {name}; {SAVE}"
    for name in formats:
        factory, accepts = Image.OPEN[name]
        if accepts is None or not _accepted(accepts, start):
            continue
        kind = tiff.describe(file) if name == "TIFF" else ""
        if kind:
            return f"a TIFF file of pixels of a kind that is not read ({kind}); {SAVE}"
        try:
            file.seek(0)
            factory(file, "")
        except Exception as error:  # of many kinds; Pillow keeps them to itself
            return f"a damaged {name} file, or one of a kind that is not read ({error})"
    return _UNKNOWN
