import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mixqual.errors import MixqualError
from mixqual.evaluation import interval_over_trainings

IMAGES = 150


def drawn(
    seed: int, trainings: int, luck: float, image: float = 0.3, rest: float = 0.3
) -> NDArray[np.float64]:
    """Numbers around 0 with known deviations over trainings, over images, and of what is left.

    `luck` is in units of what the choice of images does to the mean.
    """
    generator = np.random.default_rng(seed)
    of_training = generator.normal(0, luck * image / np.sqrt(IMAGES), (trainings, 1))
    of_image = generator.normal(0, image, (1, IMAGES))
    return of_training + of_image + generator.normal(0, rest, (trainings, IMAGES))


def coverage(trainings: int, luck: float, rounds: int = 1500) -> float:
    held = 0
    for seed in range(rounds):
        low, high = interval_over_trainings(drawn(seed, trainings, luck))
        held += low <= 0 <= high
    return held / rounds


@pytest.mark.parametrize("luck", [0.0, 0.3, 1.0, 3.0, 30.0])
def test_five_trainings_hold_the_truth_as_often_as_the_interval_says(luck: float) -> None:
    # The deviation of a share of 1,500 is 0.006; up to 0.015 too wide is the price of truncation.
    assert 0.935 <= coverage(5, luck) <= 0.98


@pytest.mark.parametrize("luck", [0.3, 3.0])
def test_three_trainings_do_too(luck: float) -> None:
    assert 0.935 <= coverage(3, luck) <= 0.98


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), trainings=st.integers(2, 8), luck=st.floats(0, 5))
def test_it_is_centred_and_never_narrower_than_the_interval_over_images(
    seed: int, trainings: int, luck: float
) -> None:
    values_SN = drawn(seed, trainings, luck)
    low, high = interval_over_trainings(values_SN)
    over_images = stats.ttest_1samp(values_SN.mean(0), 0).confidence_interval(0.95)
    assert (low + high) / 2 == pytest.approx(values_SN.mean())
    assert low <= over_images.low + 1e-12
    assert high >= over_images.high - 1e-12


@pytest.mark.parametrize("trainings", [2, 3, 10])
def test_where_all_images_are_alike_it_is_that_of_student_over_trainings(trainings: int) -> None:
    of_training_S = np.random.default_rng(0).normal(0.7, 0.1, trainings)
    values_SN = np.repeat(of_training_S[:, None], 40, axis=1)
    expected = stats.ttest_1samp(of_training_S, 0).confidence_interval(0.9)
    assert interval_over_trainings(values_SN, 0.9) == pytest.approx(expected)


def test_where_all_trainings_are_alike_it_is_that_of_student_over_images() -> None:
    of_image_N = (np.random.default_rng(0).random(60) < 0.8).astype(float)
    values_SN = np.repeat(of_image_N[None], 4, axis=0)
    expected = stats.ttest_1samp(of_image_N, 0).confidence_interval(0.95)
    assert interval_over_trainings(values_SN) == pytest.approx(expected)


def test_a_constant_is_known_exactly() -> None:
    assert interval_over_trainings(np.full((3, 20), 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize("shape", [(1, 40), (5, 1)], ids=str)
def test_one_training_or_one_image_has_none(shape: tuple[int, int]) -> None:
    with pytest.raises(MixqualError, match=f"not {shape[0]} and {shape[1]}"):
        interval_over_trainings(np.zeros(shape))
