"""Finding image files: what counts as one, what a folder holds, and names to sort and to print.

Hidden files and folders are ignored. Links are followed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mixqual.images import SUFFIXES_OF
from mixqual.images.walking import as_text, files_in, folders_in, is_text, natural, walk

__all__ = [
    "OTHER_FORMAT",
    "SUFFIXES",
    "files_in",
    "folders_in",
    "has_suffix",
    "id_of",
    "natural",
    "refuse",
    "refuse_name",
    "some",
    "walk",
]

SUFFIXES = tuple(dict.fromkeys(suffix for each in SUFFIXES_OF.values() for suffix in each))
"""File name endings, in either case, of what counts as an image."""

_NOT_READ = (
    *(".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".jpx", ".jxr", ".tga", ".exr", ".hdr"),
    *(".psd", ".dcm", ".fits", ".pfm", ".pam"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw"),
)
"""Endings of images in formats that are not read."""
OTHER_FORMAT = "an image in a format that is not read; save it as PNG, JPEG or WebP"
"""The reason to leave such a file out."""


def refuse(file: Path) -> str:
    """Return why a file is no candidate for decoding, or an empty string."""
    if has_suffix(file) and not os.path.isfile(file):
        return "a broken link" if os.path.islink(file) else "not a regular file"
    return refuse_name(file.name)


def refuse_name(name: str) -> str:
    """Return why a regular file of this name is no candidate for decoding, or an empty string."""
    ending = os.path.splitext(name)[1].lower()
    if ending not in SUFFIXES:
        return OTHER_FORMAT if ending in _NOT_READ else "not an image by its suffix"
    return "" if is_text(name) else "the file's name is not valid UTF-8"


def has_suffix(file: Path) -> bool:
    """Whether a file is named as an image."""
    return os.path.splitext(file)[1].lower() in SUFFIXES


def id_of(root: Path, file: Path) -> str:
    """Return a file's path below `root`, with forward slashes, as text that can be written."""
    return as_text(str(file).removeprefix(os.path.join(root, "")))


def some(names: Sequence[str], most: int = 5) -> str:
    """Name the first few, and count the rest."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
