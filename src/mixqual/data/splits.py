"""Train, validation and test images: stratified by class, seeded, kept in a table to read."""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixqual.artifacts import write_atomically
from mixqual.config import Share, SplitConfig
from mixqual.counting import counted
from mixqual.data.image_set import DecodedImages
from mixqual.data.index import SPLITS
from mixqual.data.units import find_units, refuse_mixed, share_out
from mixqual.errors import DataError, RunError

Splits = dict[str, NDArray[np.int64]]
"""For "train", "val" and "test" the sorted positions of its images."""

_COLUMNS = ["id", "class", "split"]
_UNUSED = "unused"


def make_splits(images: DecodedImages, config: SplitConfig) -> Splits:
    """Divide the images class by class.

    Splits that the source gives are kept, but for what is held out of a given train split where
    val or test is not given. Each other split takes its share of what is not given as val or test:
    a fraction (rounded, but never to nothing), a count, or (None) all that is left. A count of
    test images is a maximum; counts of the others must be met. What no split takes stays unused.

    Images that `grouping.unite` holds together go to one split. So fractions are met only as near
    as their sizes allow, and images that a count leaves of such a set stay unused. A set of several
    classes is drawn with the rarest of them, and refused if there are counts.

    The draw depends on the seed and on a class's name and image ids alone. Validation images come
    first in it, training images next and test images last, so that a smaller train or test count
    chooses a subset of a larger one's images. Raises `DataError` if the settings contradict each
    other or the source, or a class has too few images or sets.
    """
    given = {split for split in images.splits if split is not None}
    shares = _shares_to_take(config, given)
    pool: list[int] = []
    taken: dict[str, list[int]] = {split: [] for split in SPLITS}
    for position, found in enumerate(images.splits):
        (taken[found] if found in ("val", "test") else pool).append(position)
    units = find_units(images, pool)
    refuse_mixed(images, units, shares)
    totals = np.bincount(images.labels_N[pool], minlength=len(images.classes))
    for name, total, own in zip(images.classes, totals.tolist(), units, strict=True):
        have = sum(unit.size for unit in own)
        if have < total and len(own) < len(shares):
            # Nearly all of the class is drawn with rarer ones, and so is in every split.
            taken["train"] += [position for unit in own for position in unit.positions]
            continue
        counts = _counts(name, have, shares)
        order = _generator(config.seed, name).permutation(len(own))
        drawn = share_out(name, [own[place] for place in order], counts, shares)
        for split in SPLITS:
            taken[split] += drawn[split]
    splits = {split: np.array(sorted(found), dtype=np.int64) for split, found in taken.items()}
    _check_no_class_missing(images, splits)
    return splits


def write_splits(path: Path, images: DecodedImages, splits: Splits) -> None:
    """Write a CSV table (id, class, split) with a row for every image, unused ones included."""
    split_of = {index: split for split, indices in splits.items() for index in indices.tolist()}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for index, (name, label) in enumerate(zip(images.ids, images.labels_N, strict=True)):
        writer.writerow([name, images.classes[label], split_of.get(index, _UNUSED)])
    write_atomically(path, buffer.getvalue())


def read_splits(path: Path, images: DecodedImages) -> Splits:
    """Read what `write_splits` wrote; raises `RunError` if it is damaged or of other images."""
    again = "delete it and run the study again to make it anew"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({error}); {again}") from None
    if not rows or rows[0] != _COLUMNS:
        raise RunError(f"{path}: the first line must be {','.join(_COLUMNS)}; {again}")
    if len(rows) - 1 != len(images.ids):
        raise RunError(f"{path}: {len(rows) - 1} rows for {len(images.ids)} images; {again}")
    found: dict[str, list[int]] = {split: [] for split in SPLITS}
    for index, row in enumerate(rows[1:]):
        expected = [images.ids[index], images.classes[images.labels_N[index]]]
        if row[:2] != expected or len(row) != 3:
            raise RunError(f"{path}: found {row} in the place of image {expected}; {again}")
        if row[2] in found:
            found[row[2]].append(index)
        elif row[2] != _UNUSED:
            raise RunError(f"{path}: {row[0]} has the unknown split {row[2]!r}; {again}")
    return {split: np.array(indices, dtype=np.int64) for split, indices in found.items()}


def _shares_to_take(config: SplitConfig, given: set[str]) -> dict[str, Share | None]:
    """Return the share of each split that is to be drawn; at most one is None, all that is left."""
    for split, share in (("train", config.train), ("test", config.test)):
        if split in given and share is not None:
            raise DataError(
                f"split.{split} = {share}, but the source gives its own {split} split; "
                f"remove split.{split}"
            )
    shares: dict[str, Share | None] = {"train": config.train, "val": config.val}
    if "test" not in given:
        shares["test"] = config.test
        if config.train is None and config.test is None:
            which = "split.test" if "train" in given else "split.test, or else split.train,"
            raise DataError(
                f"the source gives no test split: set {which} to a fraction or a count per class"
            )
    if "val" in given:
        del shares["val"]
    return shares


def _counts(name: str, have: int, shares: dict[str, Share | None]) -> dict[str, int]:
    """Return how many of a class's images each split takes."""
    if have < len(shares):
        raise DataError(
            f"class {name!r} has {counted(have, 'image')}, but needs at least {len(shares)}: one "
            f"for each of {', '.join(shares)}; add images or list it in data.exclude_classes"
        )
    fractions = {split: share for split, share in shares.items() if isinstance(share, float)}
    counts = {
        split: share
        for split, share in shares.items()
        if isinstance(share, int) and split != "test"
    }
    flexible = [split for split in shares if split not in fractions and split not in counts]
    # Fractions yield to the one image that each flexible split needs, counts do not.
    counts |= _round(fractions, have, most=have - len(flexible) if fractions else have)
    need = sum(counts.values()) + len(flexible)
    if need > have:
        asked = ", ".join(f"split.{split} = {shares[split]}" for split in counts)
        raise DataError(
            f"class {name!r} has {counted(have, 'image')}, but {asked} needs {need}"
            f"{' with one left for ' + ' and '.join(flexible) if flexible else ''}; "
            "lower them, add images, or list the class in data.exclude_classes"
        )
    for split in sorted(flexible):  # test before train, which takes what test leaves
        share = shares[split]
        left = have - sum(counts.values()) - sum(other not in counts for other in flexible) + 1
        counts[split] = left if share is None else min(int(share), left)
    return counts


def _round(fractions: dict[str, float], have: int, most: int) -> dict[str, int]:
    """Round fractions of `have` to counts of at least 1 whose sum is exact, and at most `most`."""
    exact = {split: have * fraction for split, fraction in fractions.items()}
    total = min(int(sum(exact.values()) + 0.5 + 1e-9), most)
    counts = {split: max(int(share + 1e-9), 1) for split, share in exact.items()}
    while sum(counts.values()) < total:
        split = max(counts, key=lambda split: exact[split] - counts[split])
        counts[split] += 1
    while sum(counts.values()) > max(total, len(counts)):
        split = max(
            (split for split in counts if counts[split] > 1),
            key=lambda split: counts[split] - exact[split],
        )
        counts[split] -= 1
    return counts


def _generator(seed: int, name: str) -> np.random.Generator:
    # Keyed by the name, so that a class's draw is the same whichever other classes are used.
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()])


def _check_no_class_missing(images: DecodedImages, splits: Splits) -> None:
    for split, indices in splits.items():
        present = np.unique(images.labels_N[indices])
        for label in np.setdiff1d(np.arange(len(images.classes)), present):
            raise DataError(
                f"class {images.classes[label]!r} has no readable image in the {split} split; "
                "add one or list the class in data.exclude_classes"
            )
