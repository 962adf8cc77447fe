"""Which folders of a root are splits, by their names and by what they hold, and which are classes.

A layout that can be meant either way is refused: folders of splits that are taken for classes give
a study that looks right and is about nothing.
"""

import re
from collections import defaultdict
from pathlib import Path

from mixqual.data.files import files_in, folders_in, refuse, some
from mixqual.data.index import SPLIT_OF_NAME, SPLITS
from mixqual.errors import DataError

_TITLES = {"train": "training", "val": "validation", "test": "test"}
_RENAME = "rename them to train, val and test"


def given_splits(root: Path, folders: list[Path]) -> dict[str, list[Path]]:
    """Return the class folders of each given split; empty if the folders are classes themselves.

    Names count in either case. A folder called "train" may also be a class, of vehicles say, if it
    stands beside folders that are no splits: it is a split only if it holds folders but no images
    of its own, and another split is there. Raises `DataError` for splits beside other folders,
    without class folders, or twice, for names that look like splits but are none, and for splits
    inside of the classes.
    """
    where = f"data.path = {str(root)!r}"
    found: dict[str, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for folder in folders:
        split = SPLIT_OF_NAME.get(folder.name.lower())
        (found[split] if split else others).append(folder)
    named = [folder for split in SPLITS for folder in found.get(split, [])]
    if others:
        _refuse_likenesses(where, folders)
        if len(named) < 2 or not any(map(_holds_classes, found["train"])):
            _refuse_splits_of_classes(where, folders)
            return {}
        raise DataError(
            f"{where} holds the splits {_names(named)} beside other folders "
            f"({some([folder.name for folder in others])}); move either of them elsewhere"
        )
    if len(named) < 2 and not any(map(_holds_classes, found["train"])):
        return {}  # one class, which is refused, or none
    for split, same in found.items():
        if len(same) > 1:
            raise DataError(
                f"{where} holds several {_TITLES[split]} splits ({_names(same)}); keep one of them"
            )
    parts = {split: folders_in(found[split][0]) for split in SPLITS if found.get(split)}
    _refuse_unlabelled(where, {split: found[split][0] for split in parts}, parts)
    return parts


def _holds_classes(folder: Path) -> bool:
    return bool(folders_in(folder)) and not _images_in(folder)


def _images_in(folder: Path) -> int:
    return sum(not refuse(file) for file in files_in(folder))


def _refuse_unlabelled(where: str, of: dict[str, Path], parts: dict[str, list[Path]]) -> None:
    bare = [of[split] for split, classes in parts.items() if not classes]
    if not bare:
        return
    held = " and ".join(f"{folder.name} {_images_in(folder) or 'no'} images" for folder in bare)
    labelled = [folder for folder in of.values() if folder not in bare]
    if labelled:
        remedy = (
            "without them its images have no labels: move it elsewhere, arrange it as "
            f"{bare[0].name}/CLASS/IMAGE, or set data.path = {str(labelled[0])!r} alone"
        )
    else:
        remedy = (
            f"arrange them as {bare[0].name}/CLASS/IMAGE, or list them in a manifest with the "
            "columns path, label and split; if they are classes, give them other names"
        )
    raise DataError(f"{where}: {held}, but no class folders; {remedy}")


def _refuse_likenesses(where: str, folders: list[Path]) -> None:
    """Refuse "train_set" and "test_set", "seg_train" and "seg_test", and the like."""
    meant = {_likely_split(folder.name) for folder in folders}
    if None not in meant and len(meant) > 1:
        raise DataError(
            f"{where} holds {_names(folders)}, which look like splits; {_RENAME}, or if they are "
            "classes, give them other names"
        )


def _likely_split(name: str) -> str | None:
    for word in re.findall("[a-z]+", name.lower()):
        for ending in ("", "set", "data", "images"):
            if (stem := word.removesuffix(ending)) in SPLIT_OF_NAME:
                return SPLIT_OF_NAME[stem]
    return None


def _refuse_splits_of_classes(where: str, folders: list[Path]) -> None:
    """Refuse CLASS/train/IMAGE and CLASS/test/IMAGE, of which the splits would be forgotten."""
    for folder in folders:
        inner = [inside.name for inside in folders_in(folder)]
        splits = {SPLIT_OF_NAME.get(name.lower()) for name in inner}
        if len(splits) < 2 or None in splits or _images_in(folder):
            return
    raise DataError(
        f"{where}: the folders {_names(folders)} hold splits ({', '.join(inner)}); arrange the "
        "images as SPLIT/CLASS/IMAGE, or list them in a manifest with the columns path, label and "
        "split"
    )


def _names(folders: list[Path]) -> str:
    return some([folder.name for folder in folders])
