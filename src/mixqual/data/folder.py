"""Image folders: `class/image`, or given splits as `train|val|test/class/image`.

Class names are folder names in plain alphabetical order, as in torchvision's ImageFolder, so that
the labels fit a model that was trained with it. Images of a class are found at any depth, in
natural order (img2 before img10). Hidden files and folders are ignored. Links are followed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
"""File name endings, in either case, of what counts as an image."""

_SPLIT_OF_FOLDER = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def index_folder(root: Path, exclude: tuple[str, ...] = ()) -> ImageIndex:
    """Index the images below `root`, without the classes named in `exclude`.

    Raises `DataError` for a folder that is missing or not arranged as described above: no class
    folders, a single class, a class without images, a class to exclude that is not there, or
    splits with different classes.
    """
    if not os.path.exists(root):
        raise DataError(f"data.path = {str(root)!r}: no such folder")
    if not os.path.isdir(root):
        raise DataError(f"data.path = {str(root)!r} is a file; name the folder of the classes")
    folders = _folders(root)
    parts = _given_splits(root, folders) or {"": folders}
    names = {split: {folder.name for folder in folders} for split, folders in parts.items()}
    _check_excluded(root, exclude, set.union(*names.values()))
    names = {split: found - set(exclude) for split, found in names.items()}
    classes = tuple(sorted(names["train" if "train" in names else ""]))
    _check_classes(root, classes, folders)
    _check_same_classes(root, names)

    items, left_out = [], [_left_out(root, file) for file in _files(root)]
    for split, part in parts.items():
        for folder in sorted({folder.parent for folder in part} - {root}):
            left_out += [_left_out(root, file) for file in _files(folder)]
        for folder in part:
            if folder.name in exclude:
                continue
            label = classes.index(folder.name)
            found = 0
            for file in _walk(folder):
                refused = _refuse(file)
                if refused:
                    left_out.append(LeftOut(_id(root, file), refused))
                else:
                    items.append(Item(_id(root, file), file, label, split or None))
                    found += 1
            if not found:
                raise DataError(
                    f"{folder}: class {folder.name!r} holds no image ({' '.join(SUFFIXES)}); "
                    f"add images, remove the folder or list it in data.exclude_classes"
                )
    items.sort(key=lambda item: _natural(item.id))
    left_out.sort(key=lambda file: _natural(file.id))
    return ImageIndex(root.resolve().name, classes, tuple(items), tuple(left_out), credit="")


def _given_splits(root: Path, folders: list[Path]) -> dict[str, list[Path]]:
    """Return the class folders of each given split; empty if the folders are classes themselves.

    A folder called "train" may also be a class, of vehicles say. It is a split if it holds folders
    but no images of its own, and either stands alone or with another split.
    """
    found = {folder.name: folder for folder in folders if folder.name in _SPLIT_OF_FOLDER}
    train = found.get("train")
    if train is None or not _folders(train) or any(not _refuse(file) for file in _files(train)):
        return {}
    others = [folder.name for folder in folders if folder.name not in found]
    if others and len(found) == 1:
        return {}
    if others:
        raise DataError(
            f"data.path = {str(root)!r} holds the splits {', '.join(sorted(found))} beside other "
            f"folders ({_some(others)}); move either of them elsewhere"
        )
    parts: dict[str, list[Path]] = {}
    for name, folder in found.items():
        split = _SPLIT_OF_FOLDER[name]
        if split in parts:
            raise DataError(
                f"data.path = {str(root)!r} holds several validation splits "
                f"({', '.join(sorted(found.keys() - {'train', 'test'}))}); keep one of them"
            )
        parts[split] = _folders(folder)
    return parts


def _check_excluded(root: Path, exclude: tuple[str, ...], present: set[str]) -> None:
    for name in exclude:
        if name not in present:
            raise DataError(
                f"data.exclude_classes: there is no class {name!r} in {str(root)!r}; "
                f"it has {_some(sorted(present)) or 'none'}"
            )


def _check_classes(root: Path, classes: tuple[str, ...], folders: list[Path]) -> None:
    where = f"data.path = {str(root)!r}"
    if not classes:
        raise DataError(f"{where} holds no class folders; arrange the images as CLASS/IMAGE")
    if len(classes) > 1:
        return
    hint = "add a folder of another class"
    if len(folders) == 1 and len(_folders(folders[0])) > 1:
        hint = f"if the classes are the folders inside it, set data.path = {str(folders[0])!r}"
    raise DataError(f"{where} holds a single class, {classes[0]!r}, but needs two; {hint}")


def _check_same_classes(root: Path, names: dict[str, set[str]]) -> None:
    train = names.get("train", set())
    for split, found in names.items():
        if split not in ("", "train") and found != train:
            only = [
                f"only in {name}: {_some(sorted(extra))}"
                for name, extra in (("train", train - found), (split, found - train))
                if extra
            ]
            raise DataError(
                f"data.path = {str(root)!r}: train and {split} hold different classes "
                f"({'; '.join(only)}); make them the same or use data.exclude_classes"
            )


def _walk(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link back to a folder above would never end
        return
    folders, files = _list(folder)
    yield from files
    for inner in folders:
        yield from _walk(inner, (*above, real))


def _folders(folder: Path) -> list[Path]:
    return _list(folder)[0]


def _files(folder: Path) -> list[Path]:
    return _list(folder)[1]


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the visible folders and the visible files in a folder, by name."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(folder / entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
    for inner in folders:
        if not _is_text(inner.name):
            raise DataError(
                f"{_printable(str(inner))}: the folder's name is not valid UTF-8; rename it"
            )
    return sorted(folders), sorted(files)


def _refuse(file: Path) -> str:
    """Return why a file is no candidate for decoding, or an empty string."""
    if file.suffix.lower() not in SUFFIXES:
        return "not an image by its suffix"
    if not os.path.isfile(file):
        return "a broken link" if os.path.islink(file) else "not a regular file"
    return "" if _is_text(file.name) else "the file's name is not valid UTF-8"


def _left_out(root: Path, file: Path) -> LeftOut:
    return LeftOut(_id(root, file), _refuse(file) or "outside of any class folder")


def _id(root: Path, file: Path) -> str:
    return _printable(file.relative_to(root).as_posix())


def _is_text(name: str) -> bool:
    return _printable(name) == name


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def _natural(name: str) -> tuple[list[str | int], str]:
    parts: list[str | int] = re.split("([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
