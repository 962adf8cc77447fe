"""Temperatures and thresholds, against definitions worked out the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mixqual.evaluation import (
    find_verdicts,
    fit_temperature,
    measure,
    risk_coverage,
    with_temperature,
)


def drawn(sharpness: float, images: int = 20_000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities that are too sure by a factor, and labels drawn from the honest ones."""
    generator = np.random.default_rng(7)
    logits_NK = generator.normal(size=(images, 4))
    honest_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(1, keepdims=True)
    draws_N = generator.random(images)
    labels_N = (honest_NK.cumsum(1) < draws_N[:, None]).sum(1).clip(max=3)
    sharp_NK = np.exp(sharpness * logits_NK)
    return sharp_NK / sharp_NK.sum(1, keepdims=True), labels_N


@pytest.mark.parametrize("held_bytes", [0, 1000, 10**9])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_parts_of_the_images_do_not_change_the_temperature(size: int, held_bytes: int) -> None:
    p_NK, labels_N = drawn(2.0, images=100)
    parts = [slice(first, first + size) for first in range(0, 100, size)]
    found = fit_temperature(lambda: ((p_NK[part], labels_N[part]) for part in parts), held_bytes)
    assert found == fit_temperature(lambda: [(p_NK, labels_N)])


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_too_much_sureness(sharpness: float) -> None:
    p_NK, labels_N = drawn(sharpness)
    temperature = fit_temperature(lambda: [(p_NK, labels_N)])
    assert temperature == pytest.approx(sharpness, rel=0.05)
    honest_NK = with_temperature(p_NK, temperature)
    assert measure(honest_NK, labels_N)["ece"] < 0.02
    best = measure(honest_NK, labels_N)["nll"]
    for other in (0.8 * temperature, 1.25 * temperature):
        assert measure(with_temperature(p_NK, other), labels_N)["nll"] > best


@given(st.floats(0.5, 20))
@settings(max_examples=30, deadline=None)
def test_a_temperature_changes_no_answer(temperature: float) -> None:
    p_NK, _ = drawn(2.0, images=50)
    scaled_NK = with_temperature(p_NK, temperature)
    np.testing.assert_array_equal(scaled_NK.argmax(1), p_NK.argmax(1))
    np.testing.assert_allclose(scaled_NK.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(with_temperature(scaled_NK, 1 / temperature), p_NK, atol=1e-5)


CONFIDENCES = arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([0.3, 0.5, 0.7, 0.9]))


@given(CONFIDENCES, st.data(), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=300, deadline=None)
def test_thresholds_are_what_they_say(
    confidence_N: NDArray[np.float64], data: st.DataObject, rare: float, frequent: float
) -> None:
    right_N = data.draw(arrays(np.bool_, len(confidence_N)))
    found = find_verdicts(confidence_N, right_N, rare, frequent)
    at = [0.3, 0.5, 0.7, 0.9]
    kept = {c: ~right_N[confidence_N >= c] for c in at}
    good = [c for c in at if len(kept[c]) and c in confidence_N and kept[c].mean() <= rare]
    assert found.usable == min(good, default=2.0)
    dropped = {c: ~right_N[confidence_N < c] for c in [*at, 1.0]}
    bad = [c for c in dropped if len(dropped[c]) and dropped[c].mean() >= frequent]
    retake_N = confidence_N < found.retake
    expected_N = confidence_N < max(bad, default=0.0)
    np.testing.assert_array_equal(retake_N, expected_N)


def test_verdicts_by_hand() -> None:
    confidence_N = np.array([0.95, 0.9, 0.8, 0.6, 0.4, 0.3])
    right_N = np.array([True, True, True, False, False, False])
    found = find_verdicts(confidence_N, right_N, usable_error=0.1, retake_error=0.9)
    assert found.of(confidence_N).tolist() == ["usable"] * 3 + ["retake"] * 3
    cautious = find_verdicts(confidence_N, right_N, usable_error=0.0, retake_error=1.0)
    assert cautious.usable == 0.8


def test_risk_of_the_surest() -> None:
    confidence_N = np.array([0.4, 0.9, 0.8, 0.6])
    right_N = np.array([False, True, True, False])
    risks = risk_coverage(confidence_N, right_N, np.array([0.01, 0.5, 0.75, 1.0]))
    np.testing.assert_allclose(risks, [0, 0, 1 / 3, 1 / 2])
