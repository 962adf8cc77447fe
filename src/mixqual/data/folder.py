"""Image folders: `class/image`, or given splits as `train|val|test/class/image`, in either case.

Class names are folder names in plain alphabetical order, as in torchvision's ImageFolder, so that
the labels fit a model that was trained with it. Images of a class are found at any depth, in
natural order (img2 before img10). Hidden files and folders are ignored. Links are followed.
"""

import os
from pathlib import Path

from mixqual.data.classes import ClassChoice, choose_classes
from mixqual.data.file_trees import FolderTree, list_images, outside
from mixqual.data.files import SUFFIXES, folders_in, natural, some
from mixqual.data.given_splits import given_splits
from mixqual.data.index import ImageIndex, Item
from mixqual.errors import DataError

__all__ = ["SUFFIXES", "index_folder"]


def index_folder(root: Path, choice: ClassChoice) -> ImageIndex:
    """Index the images below `root`, of the chosen classes.

    Raises `DataError` for a folder that is missing or not arranged as described above: no class
    folders, a single class, a class without images, a class to exclude that is not there, splits
    with different classes, or what `given_splits` refuses.
    """
    if not os.path.exists(root):
        raise DataError(f"data.path = {str(root)!r}: no such folder")
    if not os.path.isdir(root):
        raise DataError(f"data.path = {str(root)!r} is a file; name the folder of the classes")
    folders = folders_in(root)
    parts = given_splits(root, folders) or {"": folders}
    names = {split: {folder.name for folder in folders} for split, folders in parts.items()}
    present = sorted(set.union(*names.values()))
    _check_classes(root, present, folders)
    _check_same_classes(
        root, {split: found - set(choice.exclude) for split, found in names.items()}
    )
    classes = choose_classes(choice, repr(str(root)), present)

    items: list[Item] = []
    tree = FolderTree(root)
    left_out = outside(tree.files())
    for split, part in parts.items():
        for folder in sorted({folder.parent for folder in part} - {root}):
            left_out += outside(tree.files(str(folder.relative_to(root))))
        for folder in part:
            if folder.name in classes:
                label = classes.index(folder.name)
                inside = str(folder.relative_to(root))
                images, others = list_images(tree, inside, label, split or None)
                items += images
                left_out += others
    items.sort(key=lambda item: natural(item.id))
    left_out.sort(key=lambda file: natural(file.id))
    return ImageIndex(root.resolve().name, classes, tuple(items), tuple(left_out), credit="")


def _check_classes(root: Path, classes: list[str], folders: list[Path]) -> None:
    where = f"data.path = {str(root)!r}"
    if not classes:
        raise DataError(f"{where} holds no class folders; arrange the images as CLASS/IMAGE")
    if len(classes) > 1:
        return
    hint = "add a folder of another class"
    if len(folders) == 1 and len(folders_in(folders[0])) > 1:
        hint = f"if the classes are the folders inside it, set data.path = {str(folders[0])!r}"
    raise DataError(f"{where} holds a single class, {classes[0]!r}, but needs two; {hint}")


def _check_same_classes(root: Path, names: dict[str, set[str]]) -> None:
    (first, expected), *others = names.items()
    for split, found in others:
        if found != expected:
            only = [
                f"only in {name}: {some(sorted(extra))}"
                for name, extra in ((first, expected - found), (split, found - expected))
                if extra
            ]
            raise DataError(
                f"data.path = {str(root)!r}: {first} and {split} hold different classes "
                f"({'; '.join(only)}); make them the same or use data.exclude_classes"
            )
