"""Images that are in two splits at once, and so make a test easier than it looks.

Two files leak if their bytes are equal, if their decoded pixels are equal, or if they are of one
group. The same image in two classes is no leak, but spoils training and testing alike, and is
found here as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from mixqual.counting import counted
from mixqual.data.image_set import DecodedImages
from mixqual.data.index import SPLITS
from mixqual.errors import DataError
from mixqual.file_names import printable
from mixqual.progress import say

LISTED = 5
"""Pairs that a message names; it counts the rest."""


@final
@dataclass(frozen=True)
class Leak:
    """An image, and the first one that it should not be apart from."""

    between: Literal["splits", "classes"]
    id: str
    place: str
    """The image's split or class."""
    twin: str
    twin_place: str
    what: str
    """What the two have in common, in words."""

    def __str__(self) -> str:
        return (
            f"{printable(self.id)} ({printable(self.place)}) and {printable(self.twin)} "
            f"({printable(self.twin_place)}): {printable(self.what)}"
        )


def find_leaks(images: DecodedImages, splits: Mapping[str, NDArray[np.int64]]) -> tuple[Leak, ...]:
    """Find the images that a split shares with an earlier one, or a class with another.

    `splits` has the positions of each split's images. Each image of val or test is found once, with
    its first twin in train (or in val), and likewise each image whose first twin has another
    class. Images that no split uses do not count.
    """
    used = [
        (position, split)
        for split in SPLITS
        if split in splits
        for position in splits[split].tolist()
    ]
    classes = [(position, images.classes[images.labels_N[position]]) for position, _ in used]
    copies = [(images.file_hashes, "the same file"), (images.pixel_hashes, "the same pixels")]
    return (
        *_shared(images, "splits", used, [*copies, (images.groups, "")]),
        *_shared(images, "classes", sorted(classes), copies),
    )


def find_twins(
    images: DecodedImages, splits: Mapping[str, NDArray[np.int64]], split: str
) -> NDArray[np.bool_]:
    """Tell of each image of a split whether it is not apart from all that it should be apart from.

    That is an image of another split, or of another class; of both images of a pair, other than in
    `find_leaks`, it is told.
    """
    used = {at: name for name, positions in splits.items() for at in positions.tolist()}
    twins: set[int] = set()
    for keys in (images.file_hashes, images.pixel_hashes, images.groups):
        if len(set(keys)) == len(keys):
            continue
        alike: dict[str, list[int]] = {}
        for at in used:
            if (key := keys[at]) is not None:
                alike.setdefault(key, []).append(at)
        for members in alike.values():
            across = len({used[at] for at in members}) > 1
            if keys is not images.groups:
                across |= len({int(images.labels_N[at]) for at in members}) > 1
            twins.update(members if across else ())
    return np.array([at in twins for at in splits[split].tolist()], dtype=np.bool_)


def refuse_leaks(
    images: DecodedImages,
    splits: Mapping[str, NDArray[np.int64]],
    on_leak: str,
    *,
    shown: bool = True,
) -> tuple[Leak, ...]:
    """Return what `find_leaks` finds, or with `on_leak` "raise" make a `DataError` of it.

    With "warn" it is `shown` on standard error, in as many words.
    """
    leaks = find_leaks(images, splits)
    if leaks and on_leak == "raise":
        raise DataError(explain_leaks(leaks, on_leak))
    if leaks and shown:
        say(f"warning: {explain_leaks(leaks, on_leak)}")
    return leaks


def explain_leaks(leaks: Sequence[Leak], on_leak: str) -> str:
    """What leaks, with the first few pairs and the count of all, and what is to be done about it.

    With `on_leak` "warn" that is nothing, and it says what becomes of them.
    """
    refused = on_leak == "raise"
    parts = []
    across = [leak for leak in leaks if leak.between == "splits"]
    if across:
        parts.append(
            f"{counted(len(across), 'image', 'are')} of val or test and in an earlier split, or of "
            f"a group that is:\n{_lines(across)}"
        )
        if refused:
            parts.append(
                "remove them from one of the two splits, or give no splits: mixqual draws some "
                "that keep what belongs together"
            )
    conflicts = [leak for leak in leaks if leak.between == "classes"]
    if conflicts:
        parts.append(
            f"{counted(len(conflicts), 'image', 'are')} in another class as well:\n"
            f"{_lines(conflicts)}"
        )
        if refused:
            parts.append("keep each in the class that is right")
    parts.append(
        'or go on all the same with data.on_leak = "warn"'
        if refused
        else "they are used as they are; the run lists all in leaks.csv, and reports the accuracy "
        "without such test images, too"
    )
    return "\n".join(parts)


def _shared(
    images: DecodedImages,
    between: Literal["splits", "classes"],
    places: Iterable[tuple[int, str]],
    sorts: Sequence[tuple[Sequence[str | None], str]],
) -> list[Leak]:
    """Pair each image with the first one that shares a key of some sort but has another place."""
    leaks = []
    sorts = [(keys, what) for keys, what in sorts if len(set(keys)) < len(keys)]
    if not sorts:
        return []
    firsts: list[dict[str, tuple[int, str]]] = [{} for _ in sorts]
    for position, place in places:
        found: Leak | None = None
        for (keys, what), first in zip(sorts, firsts, strict=True):
            key = keys[position]
            if key is None:
                continue
            twin, twin_place = first.setdefault(key, (position, place))
            if twin_place != place and found is None:
                found = Leak(
                    between,
                    images.ids[position],
                    place,
                    images.ids[twin],
                    twin_place,
                    what or f"group {key!r}",
                )
        if found is not None:
            leaks.append(found)
    return leaks


def _lines(leaks: Sequence[Leak]) -> str:
    lines = [f"  {leak}" for leak in leaks[:LISTED]]
    if len(leaks) > LISTED:
        lines.append(f"  and {len(leaks) - LISTED} more")
    return "\n".join(lines)
