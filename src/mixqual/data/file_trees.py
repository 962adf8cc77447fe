"""Class folders and their images, whether they lie on the disk or in an archive."""

import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from mixqual.data.archives import Archive, Member
from mixqual.data.files import SUFFIXES, files_in, folders_in, id_of, refuse, refuse_name, walk
from mixqual.data.index import Item, LeftOut
from mixqual.errors import DataError
from mixqual.images import Embedded
from mixqual.images.walking import as_text


@final
@dataclass(frozen=True)
class Found:
    """A visible file."""

    name: str
    """Its path below the tree's root, with forward slashes, as text that can be written."""
    content: Path | Embedded
    refused: str
    """Why it is no candidate for decoding; empty if it is one."""


class Tree(ABC):
    """A folder of folders, in an order that depends on names alone; hidden ones are ignored."""

    @property
    @abstractmethod
    def where(self) -> Path:
        """Its root, as messages name it."""

    @abstractmethod
    def folders(self) -> list[str]:
        """The names of the folders in the root."""

    @abstractmethod
    def files(self, folder: str = "") -> list[Found]:
        """The files directly in a folder, or in the root; raises `DataError` if it has to."""

    @abstractmethod
    def files_below(self, folder: str) -> list[Found]:
        """The files in a folder at any depth; raises `DataError` if it has to."""


@final
@dataclass(frozen=True)
class FolderTree(Tree):
    """A folder on the disk; links are followed."""

    root: Path

    @property
    def where(self) -> Path:
        """As the base class says."""
        return self.root

    def folders(self) -> list[str]:
        """As the base class says."""
        return [folder.name for folder in folders_in(self.root)]

    def files(self, folder: str = "") -> list[Found]:
        """As the base class says."""
        return [self._found(file) for file in files_in(self.root / folder)]

    def files_below(self, folder: str) -> list[Found]:
        """As the base class says."""
        start = self.root / folder
        above = [parent for parent in start.parents if parent.is_relative_to(self.root)]
        return [self._found(file) for file in walk(start, tuple(map(os.path.realpath, above)))]

    def _found(self, file: Path) -> Found:
        return Found(id_of(self.root, file), file, refuse(file))


@final
class ArchiveTree(Tree):
    """A folder in an archive."""

    def __init__(self, archive: Archive, folder: str = "") -> None:
        """Raises `DataError` if the archive is damaged, or has no such folder."""
        self._where = archive.path / folder
        start = f"{folder}/" if folder else ""
        below = {
            member.name.removeprefix(start): member
            for member in archive.members()
            if member.name.startswith(start)
        }
        if not below:
            raise DataError(f"{archive.path}: holds no folder {folder}; is it the right archive?")
        self._files = _by_folder(archive, below)

    @property
    def where(self) -> Path:
        """As the base class says."""
        return self._where

    def folders(self) -> list[str]:
        """As the base class says."""
        return sorted(name for name in self._files if name)

    def files(self, folder: str = "") -> list[Found]:
        """As the base class says."""
        depth = 1 if folder else 0
        return [file for file in self.files_below(folder) if file.name.count("/") == depth]

    def files_below(self, folder: str) -> list[Found]:
        """As the base class says."""
        return self._files.get(folder, [])


@final
class TarsTree(Tree):
    """An archive for each folder: files of a folder on the disk, or themselves in an archive."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder or the archive; raises `DataError` if that is damaged."""
        self._root = root
        self._inner: dict[str, Member | Path] = {}
        self._archive = None if root.is_dir() else Archive(root)
        if self._archive is None:
            self._inner = {file.stem: file for file in files_in(root) if file.suffix == ".tar"}
        else:
            members = self._archive.members()
            self._inner = {Path(m.name).stem: m for m in members if m.name.endswith(".tar")}

    @property
    def where(self) -> Path:
        """As the base class says."""
        return self._root

    def folders(self) -> list[str]:
        """As the base class says."""
        return sorted(self._inner)

    def files(self, folder: str = "") -> list[Found]:
        """As the base class says."""
        return [file for file in self.files_below(folder) if file.name.count("/") == 1]

    def files_below(self, folder: str) -> list[Found]:
        """As the base class says."""
        inner = self._inner.get(folder)
        if inner is None:
            return []
        archive = self._archive
        if isinstance(inner, Path):
            archive, inner = Archive(inner), None
        assert archive is not None
        below = {f"{folder}/{member.name}": member for member in archive.members(inner)}
        return _by_folder(archive, below).get(folder, [])


def list_images(
    tree: Tree, folder: str, label: int, split: str | None, *, deep: bool = True, prefix: str = ""
) -> tuple[list[Item], list[LeftOut]]:
    """Return the images of a class's folder, and its files that are no images.

    Files in folders inside of it count if `deep`, else they are left out. Ids begin with `prefix`.
    Raises `DataError` if there is no image, or a folder cannot be listed.
    """
    items, left_out = [], []
    depth = folder.count("/") + 1
    for file in tree.files_below(folder):
        refused = file.refused
        if not refused and not deep and file.name.count("/") > depth:
            refused = "in a folder inside of its class's"
        if refused:
            left_out.append(LeftOut(prefix + file.name, refused))
        else:
            items.append(Item(prefix + file.name, file.content, label, split))
    if not items:
        raise DataError(
            f"{tree.where / folder}: class {Path(folder).name!r} holds no image "
            f"({' '.join(SUFFIXES)}); add images, remove the folder or list it in "
            "data.exclude_classes"
        )
    return items, left_out


def outside(files: Sequence[Found], prefix: str = "") -> list[LeftOut]:
    """The files of a tree that are in no class's folder."""
    reason = "outside of any class folder"
    return [LeftOut(prefix + file.name, file.refused or reason) for file in files]


def _by_folder(archive: Archive, below: Mapping[str, Member]) -> dict[str, list[Found]]:
    """The visible files of an archive by the first folder that they are in; "" for the root."""
    found: dict[str, list[Found]] = defaultdict(list)
    for row, name in enumerate(sorted(below)):
        if not any(part.startswith(".") for part in name.split("/")):
            content = archive.content(row, below[name])
            top = name.partition("/")[0] if "/" in name else ""
            found[top].append(Found(as_text(name), content, refuse_name(name)))
    return dict(found)
