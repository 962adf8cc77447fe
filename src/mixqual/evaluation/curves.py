"""Accuracy curves, the area under them, and intervals by paired bootstrap over images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import MixqualError
from mixqual.evaluation.bounded_parts import PART_BYTES

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class AccuracyCurve:
    """Accuracy at each level of a distortion, over the same n images."""

    levels: tuple[float, ...]
    """From the clean level on, increasing or falling."""
    accuracy: tuple[float, ...]
    n: int


def auc(curve: AccuracyCurve, *, include_clean: bool = True) -> float:
    """Area under the curve over the range of levels: 1.0 means right at every level.

    With the clean level it is the trapezoid rule; without it, each level stands for the step that
    leads up to it, so that ten even levels give their plain mean. The paper tests ten levels and
    does not say which of the two it means; they differ by (first - last accuracy) / 20 there.
    """
    if len(curve.levels) != len(curve.accuracy):
        raise MixqualError(
            f"{len(curve.levels)} levels do not fit {len(curve.accuracy)} accuracies"
        )
    return float(np.dot(auc_weights(curve.levels, include_clean), curve.accuracy))


def auc_weights(levels: Sequence[float], include_clean: bool = True) -> Array:
    """The weight of each level in the area: the AUC is this vector times the accuracies.

    The first level is the clean one. Raises `MixqualError` unless the levels increase, or fall, and
    there are at least two.
    """
    positions_V = np.asarray(levels, dtype=np.float64)
    steps = np.diff(positions_V)
    if len(steps) == 0 or not (np.all(steps > 0) or np.all(steps < 0)) or np.isinf(steps).any():
        raise MixqualError(
            "levels must increase, or fall, from the clean one, two or more; "
            f"they are {list(levels)}"
        )
    widths = steps / (positions_V[-1] - positions_V[0])
    if not include_clean:
        return np.concatenate([[0.0], widths])
    weights: Array = (np.concatenate([[0.0], widths]) + np.concatenate([widths, [0.0]])) / 2
    return weights


@final
@dataclass(frozen=True)
class Bootstrap:
    """Resamples of the test images, the same for every model: differences are paired.

    The AUC is linear in whether each image is right at each level, so an image contributes one
    number per model, and the AUC of a resample is a weighted mean of these numbers.
    """

    counts_RN: NDArray[np.unsignedinteger]
    """How often each image is in each resample; in as few bytes as hold that."""
    part_bytes: int = PART_BYTES

    @staticmethod
    def draw(images: int, resamples: int, seed: int, part_bytes: int = PART_BYTES) -> "Bootstrap":
        """Draw `resamples` samples of `images` images with replacement.

        They are held in a byte for each image of each; what is made of them takes `part_bytes`.
        """
        generator = np.random.default_rng(seed)
        shares_N, parts = np.full(images, 1 / images), []
        for rows in _rows(resamples, images, part_bytes):
            drawn = generator.multinomial(images, shares_N, size=rows.stop - rows.start)
            parts.append(drawn.astype(np.min_scalar_type(drawn.max())))
        return Bootstrap(np.concatenate(parts), part_bytes)

    def sums(self, values_N: NDArray[np.number]) -> Array:
        """The sum over images in each resample; further axes of the values stay."""
        resamples, images = self.counts_RN.shape
        parts = [
            self.counts_RN[rows].astype(np.float64) @ values_N
            for rows in _rows(resamples, images, self.part_bytes)
        ]
        return np.concatenate(parts)

    def means(self, values_N: Array) -> Array:
        """The mean over images in each resample; further axes of the values stay."""
        means_R: Array = self.sums(values_N) / len(values_N)
        return means_R

    def interval(self, contributions_N: Array, confidence: float = 0.95) -> tuple[float, float]:
        """Percentile interval of the mean of one number an image."""
        means_R = self.means(contributions_N)
        tail = (1 - confidence) / 2
        low, high = np.quantile(means_R, [tail, 1 - tail])
        return float(low), float(high)

    def ratio_interval(
        self, parts_N: NDArray[np.number], wholes_N: NDArray[np.number]
    ) -> tuple[float, float] | None:
        """95 % percentile interval of the sum of one number an image over that of another.

        None if a resample has nothing to divide by.
        """
        wholes_R = self.sums(wholes_N)
        if not wholes_R.all():
            return None
        low, high = np.quantile(self.sums(parts_N) / wholes_R, [0.025, 0.975])
        return float(low), float(high)


def _rows(resamples: int, images: int, part_bytes: int) -> list[slice]:
    """The resamples, in parts that take so many bytes as float64, or as drawn."""
    most = max(1, part_bytes // (8 * images))
    return [slice(first, min(first + most, resamples)) for first in range(0, resamples, most)]
