"""Image folders: `class/image`, or given splits as `train|val|test/class/image`.

Class names are folder names in plain alphabetical order, as in torchvision's ImageFolder, so that
the labels fit a model that was trained with it. Images of a class are found at any depth, in
natural order (img2 before img10). Hidden files and folders are ignored. Links are followed.
"""

import os
from pathlib import Path

from mixqual.data.classes import ClassChoice, choose_classes
from mixqual.data.files import (
    SUFFIXES,
    files_in,
    folders_in,
    list_images,
    natural,
    outside,
    refuse,
    some,
)
from mixqual.data.index import SPLIT_OF_NAME, ImageIndex, Item
from mixqual.errors import DataError

__all__ = ["SUFFIXES", "index_folder"]


def index_folder(root: Path, choice: ClassChoice) -> ImageIndex:
    """Index the images below `root`, of the chosen classes.

    Raises `DataError` for a folder that is missing or not arranged as described above: no class
    folders, a single class, a class without images, a class to exclude that is not there, or
    splits with different classes.
    """
    if not os.path.exists(root):
        raise DataError(f"data.path = {str(root)!r}: no such folder")
    if not os.path.isdir(root):
        raise DataError(f"data.path = {str(root)!r} is a file; name the folder of the classes")
    folders = folders_in(root)
    parts = _given_splits(root, folders) or {"": folders}
    names = {split: {folder.name for folder in folders} for split, folders in parts.items()}
    present = sorted(set.union(*names.values()))
    _check_classes(root, present, folders)
    _check_same_classes(
        root, {split: found - set(choice.exclude) for split, found in names.items()}
    )
    classes = choose_classes(choice, repr(str(root)), present)

    items: list[Item] = []
    left_out = [outside(root, file) for file in files_in(root)]
    for split, part in parts.items():
        for folder in sorted({folder.parent for folder in part} - {root}):
            left_out += [outside(root, file) for file in files_in(folder)]
        for folder in part:
            if folder.name in classes:
                label = classes.index(folder.name)
                images, others = list_images(root, folder, label, split or None)
                items += images
                left_out += others
    items.sort(key=lambda item: natural(item.id))
    left_out.sort(key=lambda file: natural(file.id))
    return ImageIndex(root.resolve().name, classes, tuple(items), tuple(left_out), credit="")


def _given_splits(root: Path, folders: list[Path]) -> dict[str, list[Path]]:
    """Return the class folders of each given split; empty if the folders are classes themselves.

    A folder called "train" may also be a class, of vehicles say. It is a split if it holds folders
    but no images of its own, and either stands alone or with another split.
    """
    found = {folder.name: folder for folder in folders if folder.name in SPLIT_OF_NAME}
    train = found.get("train")
    if train is None or not folders_in(train) or any(not refuse(file) for file in files_in(train)):
        return {}
    others = [folder.name for folder in folders if folder.name not in found]
    if others and len(found) == 1:
        return {}
    if others:
        raise DataError(
            f"data.path = {str(root)!r} holds the splits {', '.join(sorted(found))} beside other "
            f"folders ({some(others)}); move either of them elsewhere"
        )
    parts: dict[str, list[Path]] = {}
    for name, folder in found.items():
        split = SPLIT_OF_NAME[name]
        if split in parts:
            raise DataError(
                f"data.path = {str(root)!r} holds several validation splits "
                f"({', '.join(sorted(found.keys() - {'train', 'test'}))}); keep one of them"
            )
        parts[split] = folders_in(folder)
    return parts


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
    train = names.get("train", set())
    for split, found in names.items():
        if split not in ("", "train") and found != train:
            only = [
                f"only in {name}: {some(sorted(extra))}"
                for name, extra in (("train", train - found), (split, found - train))
                if extra
            ]
            raise DataError(
                f"data.path = {str(root)!r}: train and {split} hold different classes "
                f"({'; '.join(only)}); make them the same or use data.exclude_classes"
            )
