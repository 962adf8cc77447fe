"""Finding image files: what counts as one, what a folder holds, and names to sort and to print.

Hidden files and folders are ignored. Links are followed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mixqual.data.index import Item, LeftOut
from mixqual.errors import DataError
from mixqual.images import SUFFIXES_OF
from mixqual.images.walking import as_text, files_in, folders_in, is_text, natural, walk

__all__ = [
    "OTHER_FORMAT",
    "SUFFIXES",
    "files_in",
    "folders_in",
    "has_suffix",
    "id_of",
    "list_images",
    "natural",
    "outside",
    "refuse",
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


def list_images(
    root: Path, folder: Path, label: int, split: str | None, *, deep: bool = True
) -> tuple[list[Item], list[LeftOut]]:
    """Return the images of a class's folder below `root`, and its files that are no images.

    Files in folders inside of it count if `deep`, else they are left out. Raises `DataError` if
    there is no image, or a folder cannot be listed.
    """
    items, left_out = [], []
    up = [os.path.realpath(parent) for parent in folder.parents if parent.is_relative_to(root)]
    for file in walk(folder, tuple(up)):
        refused = refuse(file)
        if not refused and not deep and file.parent != folder:
            refused = "in a folder inside of its class's"
        if refused:
            left_out.append(LeftOut(id_of(root, file), refused))
        else:
            items.append(Item(id_of(root, file), file, label, split))
    if not items:
        raise DataError(
            f"{folder}: class {folder.name!r} holds no image ({' '.join(SUFFIXES)}); "
            f"add images, remove the folder or list it in data.exclude_classes"
        )
    return items, left_out


def refuse(file: Path) -> str:
    """Return why a file is no candidate for decoding, or an empty string."""
    if not has_suffix(file):
        other = os.path.splitext(file)[1].lower() in _NOT_READ
        return OTHER_FORMAT if other else "not an image by its suffix"
    if not os.path.isfile(file):
        return "a broken link" if os.path.islink(file) else "not a regular file"
    return "" if is_text(file.name) else "the file's name is not valid UTF-8"


def has_suffix(file: Path) -> bool:
    """Whether a file is named as an image."""
    return os.path.splitext(file)[1].lower() in SUFFIXES


def outside(root: Path, file: Path) -> LeftOut:
    """Return a file of `root` as one that is in no class's folder."""
    return LeftOut(id_of(root, file), refuse(file) or "outside of any class folder")


def id_of(root: Path, file: Path) -> str:
    """Return a file's path below `root`, with forward slashes, as text that can be written."""
    return as_text(str(file).removeprefix(os.path.join(root, "")))


def some(names: Sequence[str], most: int = 5) -> str:
    """Name the first few, and count the rest."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
