"""What makes probabilities honest and sorts answers out, found from answers whose truth is known.

Probabilities are (image, class), labels the numbers of the true classes; a confidence is the
highest probability of an image.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mixqual.confidence import PROBABILITY_FLOOR, Verdicts

Floats = NDArray[np.floating]
_NONE = 2.0
"""A confidence that no answer has."""
_EXTREME = 4.0
"""Temperatures are sought between exp(-4) and exp(4)."""


HELD_BYTES = 512 * 2**20
"""Of logarithms of probabilities that are held while a temperature is sought; past that they are
read again for each that is tried."""

Part = tuple[Floats, NDArray[np.integer]]
"""Probabilities of some images, and their labels."""


def fit_temperature(parts: Callable[[], Iterable[Part]], held_bytes: int = HELD_BYTES) -> float:
    """The temperature with the lowest negative log-likelihood on the images of all parts.

    The likelihood has one optimum in the inverse of the temperature. `parts` is asked for anew if
    they are more than `held_bytes`.
    """
    held: list[Part] = []
    size = 0
    for p_NK, labels_N in parts():
        held.append((_logarithms(p_NK), labels_N))
        size += held[-1][0].nbytes
        if size > held_bytes:
            held = []
            break

    def losses(log_temperature: float) -> Iterator[NDArray[np.float64]]:
        for log_NK, labels_N in held or ((_logarithms(p_NK), n) for p_NK, n in parts()):
            scaled_NK = log_NK * np.exp(-log_temperature)
            highest_N = scaled_NK.max(1)
            true_N = scaled_NK[np.arange(len(labels_N)), labels_N]
            scaled_NK -= highest_N[:, None]
            yield np.log(np.exp(scaled_NK, out=scaled_NK).sum(1)) + highest_N - true_N

    def loss(log_temperature: float) -> float:
        return float(np.concatenate(list(losses(log_temperature))).mean())

    found = minimize_scalar(loss, bounds=(-_EXTREME, _EXTREME), method="bounded")
    return float(np.exp(found.x))


def _logarithms(p_NK: Floats) -> NDArray[np.float64]:
    return np.log(np.maximum(p_NK.astype(np.float64), PROBABILITY_FLOOR))


def find_verdicts(
    confidence_N: Floats, right_N: NDArray[np.bool_], usable_error: float, retake_error: float
) -> Verdicts:
    """The confidences at which errors are as rare, or as frequent, as they should be.

    Usable: the lowest confidence such that of the images at least as sure no more than
    `usable_error` are wrong. Retake: the highest such that of the images less sure at least
    `retake_error` are wrong.
    """
    order_N = np.argsort(-confidence_N, kind="stable")
    sorted_N, wrong_N = confidence_N[order_N], ~right_N[order_N]
    counts_N = np.arange(1, len(sorted_N) + 1)
    # Equal confidences stand or fall together: only the last of them, or the first, is a border.
    last_N = np.append(sorted_N[1:] != sorted_N[:-1], True)
    error_N = np.cumsum(wrong_N) / counts_N
    good_N = np.flatnonzero(last_N & (error_N <= usable_error))
    usable = float(sorted_N[good_N[-1]]) if len(good_N) else _NONE
    below_N = np.cumsum(wrong_N[::-1])[::-1] / counts_N[::-1]
    first_N = np.append(True, last_N[:-1])
    bad_N = np.flatnonzero(first_N & (below_N >= retake_error))
    if not len(bad_N):
        return Verdicts(usable, 0.0)
    # Less sure than the least sure image that is kept.
    kept = sorted_N[bad_N[0] - 1] if bad_N[0] else np.nextafter(sorted_N[0], 2)
    return Verdicts(usable, float(kept))


def risk_coverage(
    confidence_N: Floats, right_N: NDArray[np.bool_], coverages: Floats
) -> NDArray[np.float64]:
    """The share of wrong answers among the surest images, for each share of images that is kept.

    At least one image is kept (Geifman and El-Yaniv, NeurIPS 2017).
    """
    order_N = np.argsort(-confidence_N, kind="stable")
    error_N = np.cumsum(~right_N[order_N]) / np.arange(1, len(order_N) + 1)
    kept = np.maximum(1, np.round(coverages * len(order_N)).astype(int))
    risks: NDArray[np.float64] = error_N[kept - 1]
    return risks
