"""One image file to pixels, whatever wrote it; needs Pillow and NumPy alone."""

from mixqual.images.decoding import (
    INTERPOLATIONS,
    Content,
    Header,
    crop,
    decode,
    examine,
    hash_file,
    read_header,
    read_image,
)
from mixqual.images.embedded import Embedded
from mixqual.images.opening import Unreadable, many_files

__all__ = [
    "INTERPOLATIONS",
    "Content",
    "Embedded",
    "Header",
    "Unreadable",
    "crop",
    "decode",
    "examine",
    "hash_file",
    "many_files",
    "read_header",
    "read_image",
]
