"""What is drawn for the splits: images, or sets of images that must stay together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.config import Share
from mixqual.counting import counted
from mixqual.data.grouping import unite
from mixqual.data.image_set import DecodedImages
from mixqual.errors import DataError


@final
@dataclass(frozen=True)
class Unit:
    """Images that go to one split together; most often a single one."""

    positions: tuple[int, ...]
    """In the order of their ids."""
    size: int
    """How many of them are of the class that the unit is drawn with."""


def find_units(images: DecodedImages, pool: Sequence[int]) -> list[list[Unit]]:
    """Return the units of the positions in `pool` for each class, in the order of their first ids.

    A unit of several classes is drawn with the one that has the fewest images in the pool, so that
    rare classes are divided most evenly.
    """
    labels = images.labels_N.tolist()
    together = unite(images).tolist()
    totals = np.bincount(images.labels_N[list(pool)], minlength=len(images.classes)).tolist()
    members: dict[int, list[int]] = {}
    for position in sorted(pool, key=images.ids.__getitem__):
        members.setdefault(together[position], []).append(position)
    units: list[list[Unit]] = [[] for _ in images.classes]
    for positions in members.values():
        own = [labels[position] for position in positions]
        home = min(own, key=lambda label: (totals[label], label))
        units[home].append(Unit(tuple(positions), own.count(home)))
    return units


def refuse_mixed(
    images: DecodedImages, units: Sequence[Sequence[Unit]], shares: Mapping[str, Share | None]
) -> None:
    """Raise a `DataError` if a unit has several classes and a share is a count per class."""
    counted = [f"split.{split}" for split, share in shares.items() if isinstance(share, int)]
    if not counted:
        return
    for label, drawn in enumerate(units):
        for unit in drawn:
            if unit.size < len(unit.positions):
                names = {int(images.labels_N[at]): images.ids[at] for at in unit.positions}
                other = min(names.keys() - {label})
                raise DataError(
                    f"{names[label]} (class {images.classes[label]!r}) and {names[other]} (class "
                    f"{images.classes[other]!r}) must stay together, so images cannot be counted "
                    f"out class by class; give {' and '.join(counted)} as fractions"
                )


def share_out(
    name: str, units: Sequence[Unit], counts: Mapping[str, int], shares: Mapping[str, Share | None]
) -> dict[str, list[int]]:
    """Give each split its units of a class, in their order: val first, then train; test from last.

    `counts` has the images each split is to have. A bound between fractions moves to the nearest
    end of a unit, but no split is left without one. A count takes as many units as it needs, and
    leaves what it does not need of the last. Raises `DataError` if there are too few units.
    """
    ends = np.cumsum([0, *(unit.size for unit in units)])
    have, last = int(ends[-1]), len(units)
    counted = {split for split, share in shares.items() if isinstance(share, int)}
    val, train, test = (counts.get(split, 0) for split in ("val", "train", "test"))
    if last < len(shares):
        raise _too_few(name, units, f"{len(shares)} of them, for {', '.join(shares)}")

    def bound(ends: NDArray[np.int64], images: int, split: str) -> int:
        """Return how many units hold about so many images: at least as many if they are counted."""
        if split in counted:
            return int(np.searchsorted(ends, images))
        return int(np.argmin(np.abs(ends - images)))

    tested = int(test > 0)
    first = min(max(bound(ends, val, "val"), 1), last - 1 - tested) if val else 0
    before = int(ends[first]) if "train" in counted else val
    second = min(max(bound(ends, before + train, "train"), first + 1), last - tested)
    third = second if tested else last
    if tested and val + train + test < have:
        third = last - bound(have - ends[::-1], test, "test")
        third = min(max(third, second), last - 1)
    found = {
        "val": _images(units[:first]),
        "train": _images(units[first:second]),
        "test": _images(units[third:]),
    }
    for split in counted - {"test"}:
        if len(found[split]) < counts[split]:
            raise _too_few(name, units, f"more of them for split.{split} = {counts[split]}")
        found[split] = found[split][: counts[split]]
    if "test" in counted:
        found["test"] = found["test"][-test:]
    return found


def _images(units: Sequence[Unit]) -> list[int]:
    return [position for unit in units for position in unit.positions]


def _too_few(name: str, units: Sequence[Unit], need: str) -> DataError:
    images = counted(len(_images(units)), "image")
    return DataError(
        f"class {name!r} has {images} in {len(units)} sets that must stay "
        f"together, but needs {need}; add images or list it in data.exclude_classes"
    )
