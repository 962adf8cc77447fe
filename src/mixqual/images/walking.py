"""What lies in a folder, at any depth, in an order that does not depend on the file system.

Hidden files and folders are ignored. Links are followed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mixqual.errors import DataError
from mixqual.images.opening import SUFFIXES_OF

_DEEPEST = 100
"""Folders in each other; far more are a mistake, and more than a path can name."""

_ENDINGS = tuple(ending for endings in SUFFIXES_OF.values() for ending in endings)


def image_files(folder: Path) -> Iterator[Path]:
    """Yield the files that are named as images, folder by folder, in the order of their names.

    Raises `DataError` if there is none, or a folder cannot be listed.
    """
    empty = True
    for file in walk(folder):
        if file.name.lower().endswith(_ENDINGS):
            empty = False
            yield file
    if empty:
        endings = " ".join(dict.fromkeys(_ENDINGS))
        raise DataError(f"{folder}: the folder holds no image ({endings})")


def walk(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield the visible files below a folder.

    Raises `DataError` if a folder cannot be listed, or lies more than 100 deep in the first.
    """
    if len(above) > _DEEPEST:
        raise DataError(
            f"{above[0]}: folders lie in each other more than {_DEEPEST} deep in it; move what is "
            "in them up"
        )
    real = os.path.realpath(folder)
    if real in above:  # a link back to a folder above would never end
        return
    folders, files = _list(folder)
    yield from files
    for inner in folders:
        yield from walk(inner, (*above, real))


def folders_in(folder: Path) -> list[Path]:
    """Return the visible folders in a folder by name; raises `DataError` if it has to."""
    return _list(folder)[0]


def files_in(folder: Path) -> list[Path]:
    """Return the visible files in a folder by name; raises `DataError` if it has to."""
    return _list(folder)[1]


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
    for name in folders:
        if not is_text(name):
            raise DataError(
                f"{as_text(str(folder / name))}: the folder's name is not valid UTF-8; rename it"
            )
    # Names are sorted, as comparing paths is slow.
    return [folder / name for name in sorted(folders)], [folder / name for name in sorted(files)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts img2 before img10."""
    parts: list[str | int] = re.split("([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8."""
    return as_text(name) == name


def as_text(name: str) -> str:
    """A name as text that can be written: what is not UTF-8 becomes question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")
