"""Which classes of a source are used: all but the excluded ones, or a random sample of those."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from mixqual.config import LONGEST_CLASS, MOST_CLASSES
from mixqual.data.files import some
from mixqual.data.index import ImageIndex
from mixqual.errors import DataError


@final
@dataclass(frozen=True)
class ClassChoice:
    """What a study says of the classes: `data.exclude_classes`, `data.sample_classes`, the seed."""

    exclude: tuple[str, ...] = ()
    sample: int | None = None
    seed: int = 0


def choose_classes(choice: ClassChoice, where: str, present: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to use, in the order of `present`, those that the source `where` has.

    The sample is drawn from what is left by the exclusion, and depends on its names' order and the
    seed alone. Raises `DataError` for an excluded class that is not there, fewer than two left, a
    sample of more than there are, or names and numbers of classes that no export could hold.
    """
    for name in choice.exclude:
        if name not in present:
            raise DataError(
                f"data.exclude_classes: {where} has no class {name!r}; "
                f"it has {some(present) or 'none'}"
            )
    kept = tuple(name for name in present if name not in choice.exclude)
    for name in kept:
        if not 1 <= len(name) <= LONGEST_CLASS:
            raise DataError(
                f"{where} has the class {name[:50]!r}… of {len(name)} characters; names of classes "
                f"have 1 to {LONGEST_CLASS}"
            )
    if len(kept) > MOST_CLASSES:
        raise DataError(f"{where} has {len(kept):,} classes, more than {MOST_CLASSES:,}")
    if len(kept) < 2 and choice.exclude:
        raise DataError(
            f"data.exclude_classes leaves {len(kept)} of the classes of {where}; keep two at least"
        )
    if len(kept) < 2:
        only = f"the class {kept[0]!r} only" if kept else "no class"
        raise DataError(f"{where} has {only}, but a study needs two at least")
    if choice.sample is None:
        return kept
    if choice.sample > len(kept):
        raise DataError(
            f"data.sample_classes = {choice.sample} is more than the {len(kept)} classes of {where}"
        )
    drawn = np.random.default_rng(choice.seed).choice(len(kept), choice.sample, replace=False)
    return tuple(kept[position] for position in sorted(drawn))


def keep_classes(index: ImageIndex, classes: tuple[str, ...]) -> ImageIndex:
    """Return the images of some of an index's classes, with labels counted anew."""
    labels = {index.classes.index(name): label for label, name in enumerate(classes)}
    items = (
        replace(item, label=labels[item.label]) for item in index.items if item.label in labels
    )
    return replace(index, classes=classes, items=tuple(items))
