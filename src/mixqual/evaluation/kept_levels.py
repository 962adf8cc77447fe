"""The level of a distortion up to which a model keeps enough of its accuracy.

A place on a curve is counted in steps of the grid, 0 at the clean level, so that more damage is a
higher place whichever way levels go. `inf` is beyond the last level, `-inf` before the clean one.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation.curves import Bootstrap
from mixqual.keep import Keep

Array = NDArray[np.float64]

_EQUAL = 1e-9
"""Accuracies that differ by less are equal: they are means of right and wrong answers."""


def kept_level(levels: Sequence[float], accuracy: Sequence[float], keep: Keep) -> float:
    """The level up to which a curve keeps enough, between the levels of the grid by straight lines.

    `levels` go from the clean one on, up or down, and have an accuracy each. Where the curve comes
    back above what is enough, its first fall below counts. `inf` if it never falls below: the level
    lies beyond the last; `-inf` if not even the accuracy on clean images is enough.
    """
    accuracy_1V = np.asarray(accuracy, dtype=np.float64)[None]
    (place,) = _kept_places(accuracy_1V, keep)
    return _level_at(levels, float(place))


def kept_interval(
    levels: Sequence[float], right_VN: Array, keep: Keep, bootstrap: Bootstrap
) -> tuple[float, float]:
    """95 % percentile interval of `kept_level` over the images, its less damaged end first.

    `right_VN` has the accuracy of each image at each level. A share is of the accuracy on the
    clean images of the same resample. Ends may be infinite as `kept_level` is.
    """
    places_R = np.sort(_kept_places(bootstrap.means(right_VN.T), keep))
    # No interpolation between two of them: they may be infinite.
    last = len(places_R) - 1
    low, high = places_R[math.floor(0.025 * last)], places_R[math.ceil(0.975 * last)]
    return _level_at(levels, float(low)), _level_at(levels, float(high))


def _kept_places(accuracy_RV: Array, keep: Keep) -> Array:
    """The place of the first fall below what is enough, on each of R curves."""
    clean_R = accuracy_RV[:, 0]
    targets_R = keep.value * clean_R if keep.of_clean else np.full_like(clean_R, keep.value)
    below_RV = accuracy_RV < targets_R[:, None] - _EQUAL
    first_R = below_RV.argmax(1)
    rows = np.arange(len(accuracy_RV))
    before_R, after_R = accuracy_RV[rows, first_R - 1], accuracy_RV[rows, first_R]
    # Curves that never fall, or have fallen at the clean level, get their place below.
    drops_R = np.where(before_R > after_R, before_R - after_R, 1.0)
    places_R: Array = first_R - 1 + np.clip((before_R - targets_R) / drops_R, 0, 1)
    places_R[first_R == 0] = math.inf
    places_R[below_RV[:, 0]] = -math.inf
    return places_R


def _level_at(levels: Sequence[float], place: float) -> float:
    if math.isinf(place):
        return place
    return float(np.interp(place, np.arange(len(levels)), levels))
