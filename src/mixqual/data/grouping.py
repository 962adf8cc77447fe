"""Which images must stay in one split: those of one group, and those with the same pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixqual.data.image_set import DecodedImages


def unite(images: DecodedImages) -> NDArray[np.int64]:
    """Return a number for each image (N,), equal for images that must stay together.

    Images belong together if they have the same group, or the same class and the same pixels, or
    are linked by a chain of such pairs. The number is the position of the first image of each set,
    so that without any groups or copies it is 0 to N - 1. Copies in two classes are not for a split
    to mend: `leakage` reports them.
    """
    parents = list(range(len(images.ids)))
    _join(parents, images.groups)
    labels = images.labels_N.tolist()
    for hashes in (images.file_hashes, images.pixel_hashes):
        _join(parents, [f"{label} {key}" for label, key in zip(labels, hashes, strict=False)])
    return np.array([_first(parents, position) for position in range(len(parents))], np.int64)


def _join(parents: list[int], keys: Sequence[str | None]) -> None:
    """Unite the sets of all positions that have the same key, if it is not None."""
    seen: dict[str, int] = {}
    for position, key in enumerate(keys):
        if key is None:
            continue
        earlier = seen.setdefault(key, position)
        if earlier != position:
            low, high = sorted((_first(parents, earlier), _first(parents, position)))
            parents[high] = low


def _first(parents: list[int], position: int) -> int:
    while parents[position] != position:
        parents[position] = parents[parents[position]]  # halves the way of the next search
        position = parents[position]
    return position
