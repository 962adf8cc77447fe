"""One image file to pixels, whatever wrote it; needs Pillow and NumPy alone."""

from mixqual.images.decoding import (
    INTERPOLATIONS,
    Content,
    Header,
    crop,
    decode,
    examine,
    hash_file,
    plain_image,
    read_header,
    read_image,
)
from mixqual.images.embedded import Embedded
from mixqual.images.opening import SUFFIXES_OF, many_files
from mixqual.images.unreadable import TooLarge, Unreadable

__all__ = [
    "INTERPOLATIONS",
    "SUFFIXES_OF",
    "Content",
    "Embedded",
    "Header",
    "TooLarge",
    "Unreadable",
    "crop",
    "decode",
    "examine",
    "hash_file",
    "many_files",
    "plain_image",
    "read_header",
    "read_image",
]
