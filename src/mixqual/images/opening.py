"""Opening an image file, whatever it turns out to be, without waiting or taking memory for it."""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from mixqual.images import refusals, tiff
from mixqual.images.embedded import Embedded
from mixqual.images.limits import check_header
from mixqual.images.unreadable import Unreadable

SUFFIXES_OF = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo", ".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp", ".dib"),
    "DIB": (".dib", ".bmp"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
"""The formats that are read, by Pillow's names, and the endings of their files' names."""

# By content, whatever the suffix says; what finds a JPEG finds MPO. Pillow knows more formats, but
# some of those run other programs (Ghostscript for EPS), which a file from anywhere must not.
_FORMATS = tuple(name for name in SUFFIXES_OF if name != "MPO")

_MOST_BYTES = 2**30  # of a file, which is read into memory; the largest sound ones hold less


@contextmanager
def many_files() -> Iterator[None]:
    """Make Pillow ready to be used by threads, and silent of oddities that it can read past."""
    Image.init()  # threads that register Pillow's formats at once can miss some
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def open_file(path: Path | Embedded) -> BinaryIO:
    """Open a file's bytes; raises `Unreadable` or `OSError`."""
    if isinstance(path, Embedded):
        _check_size(path.size)
        return io.BytesIO(path.read())
    # Without O_NONBLOCK a pipe that nobody writes to would be waited for, for ever.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("not a regular file")
        _check_size(status.st_size)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def _check_size(size: int) -> None:
    if size == 0:
        raise Unreadable("the file is empty")
    if size > _MOST_BYTES:
        raise Unreadable(f"{size} bytes exceed the limit of {_MOST_BYTES}")


def identify(file: BinaryIO) -> Image.Image:
    """Open an image by its header alone; raises what Pillow raises, or `Unreadable`."""
    file_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise Unreadable(refusals.why_unknown(file, _FORMATS)) from None
    pixels = image.width * image.height
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        # Pillow itself only warns up to twice its limit.
        raise Image.DecompressionBombError(
            f"{image.width} x {image.height} pixels exceed the limit of {limit}"
        )
    if not pixels:
        raise Unreadable("the image has no pixels")
    check_header(image, file_bytes)
    tiff.prepare(image)
    return image


def explain(path: Path | Embedded, error: Exception) -> str:
    """Return why a file cannot be used, without its name."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"{str(error).rstrip('.')}; save it with fewer, such as at half its sides"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if "raw mode" in str(error):  # Pillow has a name for the kind of pixels, but cannot unpack it
        return f"pixels of a kind that is not read ({error}); {refusals.SAVE}"
    return f"damaged ({error or type(error).__name__})".replace(str(path), path.name)
