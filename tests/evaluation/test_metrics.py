import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.errors import MixqualError
from mixqual.evaluation.metrics import (
    METRICS,
    accuracy,
    are_probabilities,
    class_mean_accuracy,
    error_rate,
    expected_calibration_error,
    measure,
    negative_log_likelihood,
    softmax,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of three classes: right with 0.9, wrong with 0.8, right with 0.6, right with 0.5.
P_NK = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
LABELS_N = np.array([0, 1, 1, 2])


def made_up(seed: int, images: int, classes: int) -> tuple[Floats, Ints]:
    """Confident and unsure probabilities, and labels that follow them half of the time."""
    generator = np.random.default_rng(seed)
    p_NK = generator.dirichlet(np.full(classes, 0.3), images)
    guesses_N = generator.integers(0, classes, images)
    return p_NK, np.where(generator.random(images) < 0.5, p_NK.argmax(1), guesses_N)


def test_a_case_worked_out_by_hand() -> None:
    assert accuracy(P_NK, LABELS_N) == 0.75
    assert error_rate(P_NK, LABELS_N) == 0.25
    # Class 0: 1 of 1; class 1: 1 of 2; class 2: 1 of 1.
    assert class_mean_accuracy(P_NK, LABELS_N) == pytest.approx(2.5 / 3)
    # -ln of 0.9, 0.2, 0.6 and 0.5.
    nll = (0.105360516 + 1.609437912 + 0.510825624 + 0.693147181) / 4
    assert negative_log_likelihood(P_NK, LABELS_N) == pytest.approx(nll, abs=1e-9)
    # Two bins: 0.5 in (0, 0.5]; 0.6, 0.8 and 0.9 in (0.5, 1], where 2 of 3 are right.
    ece = 1 / 4 * abs(1 - 0.5) + 3 / 4 * abs(2 / 3 - 2.3 / 3)
    assert expected_calibration_error(P_NK, LABELS_N, bins=2) == pytest.approx(ece)
    # Fifteen bins: each image alone in its own.
    alone = (0.1 + 0.8 + 0.4 + 0.5) / 4
    assert expected_calibration_error(P_NK, LABELS_N) == pytest.approx(alone)


def slow_calibration_error(p_NK: Floats, labels_N: Ints, bins: int) -> float:
    """Bin by bin and image by image, from the definition."""
    error = 0.0
    for number in range(bins):
        confidences, hits = [], []
        for p_K, label in zip(p_NK.tolist(), labels_N.tolist(), strict=True):
            confidence = max(p_K)
            if number / bins < confidence <= (number + 1) / bins:
                confidences.append(confidence)
                hits.append(p_K.index(confidence) == label)
        if hits:
            gap = sum(hits) / len(hits) - sum(confidences) / len(hits)
            error += len(hits) / len(labels_N) * abs(gap)
    return error


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    images=st.integers(1, 80),
    classes=st.integers(2, 6),
    bins=st.sampled_from([1, 4, 10, 15]),
)
def test_calibration_error_is_that_of_the_definition(
    seed: int, images: int, classes: int, bins: int
) -> None:
    p_NK, labels_N = made_up(seed, images, classes)
    expected = slow_calibration_error(p_NK, labels_N, bins)
    assert expected_calibration_error(p_NK, labels_N, bins) == pytest.approx(expected, abs=1e-12)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    """0.5 lies in (0, 0.5], so one right and one wrong image cannot make up for each other."""
    p_NK = np.array([[0.5, 0.5], [0.6, 0.4]])
    assert expected_calibration_error(p_NK, np.array([0, 1]), bins=2) == pytest.approx(
        (0.5 + 0.6) / 2
    )


def test_perfect_and_hopeless_classifiers() -> None:
    certain_NK = np.eye(4)
    labels_N = np.arange(4)
    assert measure(certain_NK, labels_N) == {
        "n": 4,
        "right": 4,
        "classes": 4,
        "accuracy": 1.0,
        "error_rate": 0.0,
        "class_mean_accuracy": 1.0,
        "nll": 0.0,
        "ece": 0.0,
    }
    hopeless = measure(certain_NK, np.roll(labels_N, 1))
    assert hopeless["ece"] == 1.0
    assert hopeless["nll"] == pytest.approx(12 * math.log(10))  # the floor of 1e-12
    assert hopeless["right"] == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), copies=st.integers(1, 3))
def test_metrics_do_not_depend_on_order_or_on_how_often_all_images_are_counted(
    seed: int, copies: int
) -> None:
    p_NK, labels_N = made_up(seed, 30, 4)
    order = np.random.default_rng(seed).permutation(30 * copies)
    again = measure(np.tile(p_NK, (copies, 1))[order], np.tile(labels_N, copies)[order])
    once = measure(p_NK, labels_N)
    assert again["n"] == copies * once["n"]
    for name in METRICS:
        assert again[name] == pytest.approx(once[name])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_class_mean_accuracy_is_the_accuracy_if_all_classes_have_as_many_images(seed: int) -> None:
    p_NK, _ = made_up(seed, 20, 4)
    labels_N = np.arange(20) % 4
    assert class_mean_accuracy(p_NK, labels_N) == pytest.approx(accuracy(p_NK, labels_N))


def test_classes_without_images_do_not_count() -> None:
    assert class_mean_accuracy(np.eye(5)[[1, 1, 3]], np.array([1, 1, 4])) == 0.5
    assert measure(np.eye(5)[[1, 1, 3]], np.array([1, 1, 4]))["classes"] == 2


def test_softmax_is_scipys_and_stands_large_logits() -> None:
    logits_NK = np.array([[1.0, 2.0, 3.0], [-1000.0, 0.0, 1000.0], [0.0, 0.0, -np.inf]])
    np.testing.assert_allclose(
        softmax(logits_NK.astype(np.float32)), scipy.special.softmax(logits_NK, axis=1), atol=1e-15
    )


def test_what_is_taken_for_probabilities() -> None:
    half = scipy.special.softmax(np.random.default_rng(0).normal(size=(50, 100)), axis=1)
    assert are_probabilities(half.astype(np.float16).astype(np.float32))
    assert are_probabilities(P_NK)
    assert not are_probabilities(P_NK * 1.01)
    assert not are_probabilities(np.array([[1.5, -0.5]]))
    assert not are_probabilities(np.log(P_NK + 1e-9))


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "at least one image"),
        (np.zeros(3), np.zeros(3, int), "must be .image, class."),
        (np.zeros((3, 2)), np.zeros(2, int), "must be .image, class."),
        (np.zeros((2, 3)), np.array([0, 3]), "labels must lie in 0...2"),
        (np.zeros((2, 3)), np.array([-1, 0]), "labels must lie in 0...2"),
    ],
)
def test_refuses_what_has_no_metric(scores: Floats, labels: Ints, message: str) -> None:
    with pytest.raises(MixqualError, match=message):
        measure(scores, labels)


def test_every_metric_says_how_it_is_read() -> None:
    measured = measure(P_NK, LABELS_N)
    assert measured.keys() - METRICS.keys() == {"n", "right", "classes"}
    better = {name: info.better for name, info in METRICS.items()}
    assert [name for name in better if better[name] == "higher"] == [
        "accuracy",
        "class_mean_accuracy",
    ]
    assert "15 equal-width bins" in METRICS["ece"].formula
    assert "1e-12" in METRICS["nll"].formula
