"""Where the copies of images go, so that none takes the place of an image that it could be made of.

The images of a folder are those that `index_folder` would find in it: not the hidden ones, but also
those behind links.
"""

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from mixqual.data.files import SUFFIXES, has_suffix, refuse, walk
from mixqual.errors import DataError

_ELSEWHERE = "choose another place to write to"

_File = tuple[int, int]
"""Device and number, which tell a file by whatever name, case or link it is reached."""


@final
@dataclass(frozen=True)
class Originals:
    """The images below a folder, or a single one."""

    source: Path
    files: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]
    """Files that are named as images but cannot be used, with reasons."""

    def places(self, suffix: str) -> list[tuple[Path, Path]]:
        """Each image, and where below a target its copy goes: a name of its own for each."""
        taken: set[str] = set()
        found = []
        for path in self.files:
            inside = Path(path.name) if path == self.source else path.relative_to(self.source)
            place, name = _renamed(inside, suffix), path.name
            while _alike(place) in taken:  # a.jpg and a.png: keep the old suffix in the second
                name += suffix
                place = place.with_name(name)
            taken.add(_alike(place))
            found.append((path, place))
        return found

    def check_around(self, target: Path) -> None:
        """Refuse a target in which the folder of the originals lies; raises `DataError`."""
        if self.source.is_dir() and _file(target) in _above(self.source):
            raise DataError(
                f"{self.source} lies inside of {target}, whose images would be overwritten; "
                f"{_ELSEWHERE}"
            )

    def check_copies(self, target: Path, copies: Iterable[Path]) -> None:
        """Refuse copies that would overwrite an original, or lie where originals are looked for.

        `target` is where all of them lie, or the copy itself. Raises `DataError`; nothing may have
        been written yet.
        """
        single = self.source.is_file()
        folders = set() if single else {self.source, *(file.parent for file in self.files)}
        roots = {_file(folder) for folder in folders}
        own = {_file(file) for file in self.files}
        if roots & _above(target):
            raise DataError(f"{target} lies inside of {self.source}; {_ELSEWHERE}")
        clean: set[Path] = set()
        for copy in copies:
            if copy.parent not in clean and roots & _above(copy.parent):
                raise DataError(
                    f"{copy} would lie among the images of {self.source}, by a link; {_ELSEWHERE}"
                )
            clean.add(copy.parent)
            found = _file(copy)
            beside = single and copy != target and _file(copy.parent) == _file(self.source.parent)
            if found in own or (found and beside):
                raise DataError(f"{copy} would be overwritten; {_ELSEWHERE}")
            if found and not stat.S_ISREG(os.stat(copy).st_mode):
                raise DataError(f"{copy} is there already, and is no file; {_ELSEWHERE}")


def originals(source: Path) -> Originals:
    """Find the images of a folder, or take a single one; raises `DataError` if there is none."""
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.is_file():
        return Originals(source, (source,), ())
    files, left_out = [], []
    for path in sorted(walk(source)):
        reason = refuse(path)
        if not reason:
            files.append(path)
        elif has_suffix(path):
            left_out.append((path, reason))
    if not files and not left_out:
        raise DataError(f"{source} holds no image ({', '.join(SUFFIXES)})")
    return Originals(source, tuple(files), tuple(left_out))


def _renamed(path: Path, suffix: str) -> Path:
    same = suffix == ".jpg" and path.suffix.lower() in (".jpg", ".jpeg")  # ImageNet's are .JPEG
    return path if same else path.with_suffix(suffix)


def _alike(place: Path) -> str:
    """The same for names that are one file where case or the form of Unicode does not count."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _file(path: Path) -> _File | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _above(path: Path) -> set[_File | None]:
    """A folder, which need not be there yet, and all folders that it lies in."""
    real = Path(os.path.realpath(path))
    return {_file(folder) for folder in (real, *real.parents)} - {None}
