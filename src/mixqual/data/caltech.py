"""Caltech101 and Caltech256: class folders, as they are published or as torchvision leaves them.

The class of background photographs is no object and is dropped. Only files directly in a class's
folder count, as everywhere else where these sets are used.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from mixqual.data.archives import Archive
from mixqual.data.classes import ClassChoice, choose_classes
from mixqual.data.file_trees import ArchiveTree, FolderTree, Tree, list_images, outside
from mixqual.data.files import natural
from mixqual.data.index import ImageIndex, Item
from mixqual.errors import DataError


@final
@dataclass(frozen=True)
class CaltechSet:
    """What is known of one of the two sets."""

    name: str
    title: str
    places: tuple[str, ...]
    """Where torchvision and Kaggle put it, and what its archive is unpacked to by hand."""
    folder: str
    """What its folder of class folders is called."""
    archives: tuple[str, ...]
    """What its archives are called; the first is to be fetched."""
    classes: int
    background: str
    credit: str


CALTECH101 = CaltechSet(
    name="caltech101",
    title="Caltech101",
    places=("caltech101", "caltech-101"),
    folder="101_ObjectCategories",
    archives=("caltech-101.zip", "101_ObjectCategories.tar.gz"),
    classes=101,
    background="BACKGROUND_Google",
    credit="Caltech 101: F.-F. Li, M. Andreetto, M. Ranzato, P. Perona, CaltechDATA (2022), "
    "doi:10.22002/D1.20086, licensed CC BY 4.0.",
)
CALTECH256 = CaltechSet(
    name="caltech256",
    title="Caltech256",
    places=("caltech256", "256_objectcategories"),
    folder="256_ObjectCategories",
    archives=("256_ObjectCategories.tar",),
    classes=256,
    background="257.clutter",
    credit="Caltech 256: G. Griffin, A. Holub, P. Perona, CaltechDATA (2022), "
    "doi:10.22002/D1.20087, licensed CC BY 4.0.",
)


def index_caltech(path: Path, choice: ClassChoice, which: CaltechSet) -> ImageIndex:
    """Index one of the sets, of the chosen classes, from any of its folders or archives.

    `path` is the folder of the class folders, a folder that holds it (directly, in one of the same
    name, or in one of `which.places`) or one of its archives, or an archive, which is read as it
    is. Raises `DataError` if nothing is there, or not all classes.
    """
    tree = _tree(path, which)
    folders = [name for name in tree.folders() if name != which.background]
    if len(folders) != which.classes:
        raise DataError(
            f"{tree.where} holds {len(folders)} folders, not the {which.classes} classes of "
            f"{which.title}; {_fetch(path, which)}; or, for a part of them, "
            'set data.source = "folder"'
        )
    classes = choose_classes(choice, which.name, folders)
    items: list[Item] = []
    left_out = outside(tree.files())
    for label, name in enumerate(classes):
        images, others = list_images(tree, name, label, None, deep=False)
        items += images
        left_out += others
    items.sort(key=lambda item: natural(item.id))
    return ImageIndex(which.name, classes, tuple(items), tuple(left_out), which.credit)


def _tree(path: Path, which: CaltechSet) -> Tree:
    """Return the folder of the class folders, on the disk if it is there, or in an archive."""
    if path.is_file():
        return _in_archive(path, which)
    if not path.is_dir():
        raise DataError(f"data.path = {str(path)!r}: no such folder; {_fetch(path, which)}")
    places = [path, *(path / name for name in which.places)]
    for place in places:
        folder = place
        while (folder / which.folder).is_dir():  # Kaggle has it in one of the same name
            folder = folder / which.folder
        if folder != place:
            return FolderTree(folder)
    for place in places:
        for archive in which.archives:
            if (place / archive).is_file():
                return _in_archive(place / archive, which)
    return FolderTree(path)


def _in_archive(path: Path, which: CaltechSet) -> Tree:
    return ArchiveTree(Archive(path, f"{which.folder}.tar.gz"), which.folder)


def _fetch(path: Path, which: CaltechSet) -> str:
    folder = path.parent if path.suffix in (".zip", ".tar", ".gz") else path
    return (
        f"fetch {which.archives[0]} from data.caltech.edu and put it into {folder} as it is, or "
        f"unpacked: {folder / which.folder}"
    )
