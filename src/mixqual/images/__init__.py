"""One image file to pixels, whatever wrote it; needs Pillow and NumPy alone."""

from mixqual.images.decoding import (
    INTERPOLATIONS,
    Content,
    Header,
    crop,
    decode,
    examine,
    read_header,
    read_image,
)
from mixqual.images.embedded import Embedded
from mixqual.images.limits import TooLarge, Unreadable
from mixqual.images.opening import many_files

__all__ = [
    "INTERPOLATIONS",
    "Content",
    "Embedded",
    "Header",
    "TooLarge",
    "Unreadable",
    "crop",
    "decode",
    "examine",
    "many_files",
    "read_header",
    "read_image",
]
