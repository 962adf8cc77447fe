import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.evaluation import Bootstrap, Keep, kept_interval, kept_level

NOISE = (0.0, 20.0, 40.0, 60.0)
QUALITY = (100.0, 70.0, 40.0, 10.0)


@pytest.mark.parametrize(
    ("accuracy", "keep", "expected"),
    [
        # 0.9 of 0.8 is 0.72: a quarter of the way from 0.74 to 0.66.
        ((0.8, 0.74, 0.66, 0.3), Keep(0.9), 25.0),
        ((0.8, 0.74, 0.66, 0.3), Keep(0.7, of_clean=False), 30.0),
        ((0.8, 0.8, 0.8, 0.73), Keep(0.9), math.inf),
        ((0.8, 0.5, 0.4, 0.3), Keep(0.81, of_clean=False), -math.inf),
        # It falls, and comes back: the first fall counts.
        ((0.8, 0.6, 0.9, 0.9), Keep(0.875), 10.0),
        # A plateau right at what is enough is kept to its end.
        ((1.0, 0.9, 0.9, 0.5), Keep(0.9), 40.0),
        ((0.8, 0.79, 0.79, 0.79), Keep(1.0), 0.0),
    ],
)
def test_levels_by_hand(accuracy: tuple[float, ...], keep: Keep, expected: float) -> None:
    assert kept_level(NOISE, accuracy, keep) == pytest.approx(expected)
    # Quality falls from 100 by 1.5 for each grey level of the noise.
    falling = 100 - 1.5 * expected if math.isfinite(expected) else expected
    assert kept_level(QUALITY, accuracy, keep) == pytest.approx(falling)


@st.composite
def curves(draw: st.DrawFn) -> tuple[tuple[float, ...], tuple[float, ...]]:
    steps = draw(st.lists(st.floats(0.1, 50), min_size=1, max_size=10))
    sign = draw(st.sampled_from([1, -1]))
    levels = tuple((sign * np.concatenate([[0.0], np.cumsum(steps)])).tolist())
    accuracy = st.lists(st.floats(0.05, 1), min_size=len(levels), max_size=len(levels))
    return levels, tuple(draw(accuracy))


@settings(deadline=None, max_examples=150)
@given(curve=curves(), value=st.floats(0.05, 1), of_clean=st.booleans())
def test_the_curve_equals_the_target_there_and_never_falls_below_before(
    curve: tuple[tuple[float, ...], tuple[float, ...]], value: float, of_clean: bool
) -> None:
    levels, accuracy = curve
    target = value * accuracy[0] if of_clean else value
    level = kept_level(levels, accuracy, Keep(value, of_clean))
    damage = np.abs(levels)
    before = [a for d, a in zip(damage, accuracy, strict=True) if d <= abs(level) - 1e-6]
    if level == -math.inf:
        assert accuracy[0] < target
        return
    assert all(a >= target - 1e-8 for a in before)
    if level == math.inf:
        assert min(accuracy) >= target - 1e-8
    else:
        assert np.interp(abs(level), damage, accuracy) == pytest.approx(target, abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(curve=curves(), shares=st.lists(st.floats(0.05, 1), min_size=2, max_size=5))
def test_who_asks_for_less_gets_further(
    curve: tuple[tuple[float, ...], tuple[float, ...]], shares: list[float]
) -> None:
    levels, accuracy = curve
    reached = [abs(kept_level(levels, accuracy, Keep(share))) for share in sorted(shares)]
    assert reached == sorted(reached, reverse=True)


# Intervals


def right_answers(images: int, seed: int) -> np.ndarray:
    """Images that are right up to a threshold of their own, from 5 to 65 grey levels."""
    thresholds_N = np.random.default_rng(seed).uniform(5, 65, images)
    return (np.asarray(NOISE)[:, None] <= thresholds_N).astype(np.float64)


@pytest.mark.parametrize("keep", [Keep(0.7), Keep(0.3, of_clean=False), Keep(0.05), Keep(0.081)])
def test_the_interval_is_of_levels_of_resampled_images(keep: Keep) -> None:
    """Each resample's images listed, and its curve read by itself."""
    right_VN = right_answers(60, 3)
    bootstrap = Bootstrap.draw(60, 201, seed=2)
    found = []
    for counts_N in bootstrap.counts_RN.astype(int):
        drawn = np.repeat(np.arange(60), counts_N)
        found.append(kept_level(NOISE, right_VN[:, drawn].mean(1).tolist(), keep))
    expected = sorted(found)[5], sorted(found)[195]
    assert kept_interval(NOISE, right_VN, keep, bootstrap) == pytest.approx(expected)
    # On levels that fall, less damage still comes first.
    falling = tuple(-level for level in NOISE)
    turned = tuple(-end if math.isfinite(end) else end for end in expected)
    assert kept_interval(falling, right_VN, keep, bootstrap) == pytest.approx(turned)


def test_an_end_of_the_interval_may_lie_beyond_the_range() -> None:
    """A twelfth of the images are still right at the last level."""
    ends = kept_interval(NOISE, right_answers(60, 3), Keep(0.085), Bootstrap.draw(60, 200, seed=2))
    assert 40 < ends[0] < 60
    assert ends[1] == math.inf


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    truth = kept_level(NOISE, [1.0, 0.75, 25 / 60, 5 / 60], Keep(0.6))
    for seed in range(200):
        bootstrap = Bootstrap.draw(100, 200, seed)
        low, high = kept_interval(NOISE, right_answers(100, seed), Keep(0.6), bootstrap)
        held += low <= truth <= high
    # 190 expected; the deviation of a binomial number of 200 is 3.1.
    assert 177 <= held <= 199
