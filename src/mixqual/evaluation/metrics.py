"""How good a classifier's answers are, and how honest its probabilities: pure functions of numbers.

Scores and probabilities are (image, class), labels are the numbers of the true classes. Every
function averages over all n images that it is given, and raises `MixqualError` unless there is at
least one, with a label among the classes. `METRICS` says how each is defined, for reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from mixqual.confidence import PROBABILITY_FLOOR
from mixqual.errors import MixqualError

Scores = NDArray[np.floating]
Labels = NDArray[np.integer]

BINS = 15
"""Bins of the calibration error: as many as Guo et al. (2017), and since then the field, use."""
_SUM_TOLERANCE = 1e-3
"""How far a row of half-precision probabilities may be from a sum of one."""


@final
@dataclass(frozen=True)
class MetricInfo:
    """What a reader has to know of a metric to read its numbers."""

    name: str
    formula: str
    better: Literal["higher", "lower"]
    range: str
    source: str


METRICS: Mapping[str, MetricInfo] = {
    "accuracy": MetricInfo(
        "Accuracy",
        "share of the n images whose highest score is that of the true class",
        "higher",
        "0 to 1",
        "the usual top-1 accuracy",
    ),
    "error_rate": MetricInfo(
        "Error rate", "1 - accuracy", "lower", "0 to 1", "the usual top-1 error"
    ),
    "class_mean_accuracy": MetricInfo(
        "Class-mean accuracy",
        "mean over the classes that have images of the accuracy on the images of the class",
        "higher",
        "0 to 1",
        "Brodersen et al., ICPR 2010, for any number of classes",
    ),
    "nll": MetricInfo(
        "NLL",
        "mean over images of -ln(probability of the true class), probabilities floored at "
        f"{PROBABILITY_FLOOR:g}",
        "lower",
        f"0 to {-np.log(PROBABILITY_FLOOR):.2f}",
        "negative log-likelihood, also called cross-entropy or log loss",
    ),
    "ece": MetricInfo(
        "ECE",
        f"sum over {BINS} equal-width bins of the highest probability of (share of the images in "
        "the bin) * |accuracy in the bin - mean highest probability in the bin|",
        "lower",
        "0 to 1",
        "Naeini et al., AAAI 2015; Guo et al., ICML 2017",
    ),
}
"""The definitions of what `measure` returns."""


@final
@dataclass(frozen=True)
class Answered:
    """All that `METRICS` take of the probabilities of N images, whatever the number of classes."""

    class_N: NDArray[np.int64]
    """The class with the highest probability, the first of equal ones."""
    confidence_N: NDArray[np.float64]
    """Its probability."""
    true_N: NDArray[np.float64]
    """The probability of the true class."""

    @staticmethod
    def of(probabilities_NK: Scores, labels_N: Labels) -> "Answered":
        """Raises `MixqualError` as `measure` does."""
        _check(probabilities_NK, labels_N)
        return Answered(
            probabilities_NK.argmax(axis=1),
            probabilities_NK.max(axis=1).astype(np.float64),
            probabilities_NK[np.arange(len(labels_N)), labels_N].astype(np.float64),
        )

    @staticmethod
    def joined(parts: Sequence["Answered"]) -> "Answered":
        """Those of several parts of a set, in their order."""
        return Answered(
            np.concatenate([part.class_N for part in parts]),
            np.concatenate([part.confidence_N for part in parts]),
            np.concatenate([part.true_N for part in parts]),
        )


def measure(probabilities_NK: Scores, labels_N: Labels) -> dict[str, float]:
    """All of `METRICS`, with what they were counted over.

    `n` are the images, `right` those with the right answer, `classes` the classes with images.
    """
    return measure_answers(Answered.of(probabilities_NK, labels_N), labels_N)


def measure_answers(answered: Answered, labels_N: Labels) -> dict[str, float]:
    """The same, of what is kept of the probabilities."""
    right_N = answered.class_N == labels_N
    error = float((~right_N).mean())
    return {
        "n": len(labels_N),
        "right": int(right_N.sum()),
        "classes": len(np.unique(labels_N)),
        "accuracy": 1 - error,
        "error_rate": error,
        "class_mean_accuracy": _class_mean(right_N, labels_N),
        "nll": _mean_log(answered.true_N, PROBABILITY_FLOOR),
        "ece": _gap_of_bins(right_N, answered.confidence_N, BINS),
    }


def accuracy(scores_NK: Scores, labels_N: Labels) -> float:
    """Share of the n images whose highest score is that of the true class, in 0...1.

    Of several equally high scores the first counts, as in NumPy's and torch's argmax.
    """
    return float(_right(scores_NK, labels_N).mean())


def error_rate(scores_NK: Scores, labels_N: Labels) -> float:
    """One minus the accuracy, in 0...1."""
    right_N = _right(scores_NK, labels_N)
    return float((~right_N).mean())


def class_mean_accuracy(scores_NK: Scores, labels_N: Labels) -> float:
    """Mean of the accuracies on the images of each class, in 0...1: every class counts the same.

    The mean is over the classes that have images among the n. Also called balanced accuracy
    (Brodersen et al., ICPR 2010) or macro recall.
    """
    return _class_mean(_right(scores_NK, labels_N), labels_N)


def _class_mean(right_N: NDArray[np.bool_], labels_N: Labels) -> float:
    images_K = np.bincount(labels_N)
    right_K = np.bincount(labels_N, weights=right_N)
    present_K = images_K > 0
    return float((right_K[present_K] / images_K[present_K]).mean())


def negative_log_likelihood(
    probabilities_NK: Scores, labels_N: Labels, floor: float = PROBABILITY_FLOOR
) -> float:
    """Mean over the n images of -ln(p), p the probability of the true class, in 0...-ln(floor).

    Probabilities below `floor` count as `floor`. Also called cross-entropy or log loss.
    """
    _check(probabilities_NK, labels_N)
    return _mean_log(probabilities_NK[np.arange(len(labels_N)), labels_N], floor)


def _mean_log(p_N: Scores, floor: float) -> float:
    p_N = p_N.astype(np.float64)
    return float(-np.log(np.clip(p_N, floor, 1)).mean())


def expected_calibration_error(
    probabilities_NK: Scores, labels_N: Labels, bins: int = BINS
) -> float:
    """How far confidence is from accuracy: sum over bins of (n_b / n) |accuracy_b - confidence_b|.

    An image's confidence is its highest probability. Bin b of M holds the n_b images whose
    confidence lies in ((b - 1) / M, b / M]; empty bins count nothing. In 0...1; it grows with M
    where the n_b get small. Naeini et al. (AAAI 2015), as in Guo et al. (ICML 2017), Eq. 3.
    """
    right_N = _right(probabilities_NK, labels_N)
    return _gap_of_bins(right_N, probabilities_NK.max(axis=1).astype(np.float64), bins)


def _gap_of_bins(right_N: NDArray[np.bool_], confidence_N: NDArray[np.float64], bins: int) -> float:
    inner_edges = np.arange(1, bins) / bins
    bins_N = np.searchsorted(inner_edges, confidence_N, side="left")
    # Times n_b / n, the difference of a bin's means is that of its sums, divided by n.
    gaps = np.bincount(bins_N, weights=right_N - confidence_N, minlength=bins)
    return float(np.abs(gaps).sum() / len(right_N))


def are_probabilities(outputs_NK: Scores) -> bool:
    """Whether no output is negative and every image's outputs sum to one, to within 0.001."""
    sums_N = outputs_NK.sum(axis=1, dtype=np.float64)
    return bool((outputs_NK >= 0).all() and (np.abs(sums_N - 1) <= _SUM_TOLERANCE).all())


def softmax(logits_NK: Scores) -> NDArray[np.float64]:
    """Probabilities (image, class) of logits: exp(logit) over the sum of its row."""
    logits_NK = logits_NK.astype(np.float64)
    exponentials_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    probabilities_NK: NDArray[np.float64] = exponentials_NK / exponentials_NK.sum(1, keepdims=True)
    return probabilities_NK


def _right(scores_NK: Scores, labels_N: Labels) -> NDArray[np.bool_]:
    _check(scores_NK, labels_N)
    right_N: NDArray[np.bool_] = scores_NK.argmax(axis=1) == labels_N
    return right_N


def _check(scores_NK: Scores, labels_N: Labels) -> None:
    if scores_NK.ndim != 2 or labels_N.shape != scores_NK.shape[:1]:
        raise MixqualError(
            f"scores must be (image, class) and labels (image,), not {scores_NK.shape} and "
            f"{labels_N.shape}"
        )
    if not len(labels_N):
        raise MixqualError("a metric needs at least one image")
    if labels_N.min() < 0 or labels_N.max() >= scores_NK.shape[1]:
        raise MixqualError(
            f"labels must lie in 0...{scores_NK.shape[1] - 1}, the classes of the scores; they "
            f"span {labels_N.min()}...{labels_N.max()}"
        )
