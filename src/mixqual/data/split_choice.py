"""Which images of a source with given splits are used, where one split is enough."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import final

from mixqual.data.index import SPLITS, ImageIndex
from mixqual.errors import DataError

ALL = "all"
_PREFERRED = ("test", "val", "train")


@final
@dataclass(frozen=True)
class GivenSplit:
    """The images that are used, and what was left aside."""

    index: ImageIndex
    name: str | None
    """"test", "val", "train" or "all"; None for a source without splits."""
    aside: dict[str, int]
    """The other splits, with their images."""


def choose_split(index: ImageIndex, asked: str | None = None) -> GivenSplit:
    """Take one of the splits that a source gives: the one asked for, else its test images.

    Without test images they are its validation images, or its training images if there are no
    others; "all" takes them together. Raises `DataError` for a split that is not there.
    """
    counts = Counter(item.split for item in index.items if item.split)
    there = [split for split in SPLITS if split in counts]
    if asked is not None and asked != ALL and asked not in there:
        has = f"has the splits {', '.join(there)}" if there else "has no folders of splits"
        raise DataError(f"there is no split {asked!r}: {index.name} {has}; or choose {ALL!r}")
    if not there:
        return GivenSplit(index, None, {})
    if asked == ALL:
        return GivenSplit(index, ALL, {})
    name = asked or next(split for split in _PREFERRED if split in there)
    kept = tuple(item for item in index.items if item.split == name)
    aside = {split: counts[split] for split in there if split != name}
    return GivenSplit(replace(index, items=kept), name, aside)
