import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.errors import MixqualError
from mixqual.evaluation import AccuracyCurve, Bootstrap, auc, auc_weights

TEN_STEPS = tuple(range(0, 101, 10))
FALLING = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1, 0.1)


@st.composite
def curves(draw: st.DrawFn) -> AccuracyCurve:
    steps = draw(st.lists(st.floats(0.01, 50), min_size=1, max_size=12))
    accuracy = draw(st.lists(st.floats(0, 1), min_size=len(steps) + 1, max_size=len(steps) + 1))
    levels = np.concatenate([[0.0], np.cumsum(steps)])
    return AccuracyCurve(tuple(levels.tolist()), tuple(accuracy), n=100)


# The area


def test_area_by_hand() -> None:
    # Trapezoids: (0.9 / 2 + 0.8 + ... + 0.1 + 0.1 / 2) / 10; the ten levels' mean: 3.9 / 10.
    curve = AccuracyCurve(TEN_STEPS, FALLING, n=50)
    assert auc(curve) == pytest.approx(0.43)
    assert auc(curve, include_clean=False) == pytest.approx(0.39)


def test_area_over_uneven_levels_by_hand() -> None:
    # One quarter of the range from 1.0 to 0.5, three quarters from 0.5 to 0.1.
    curve = AccuracyCurve((0.0, 1.0, 4.0), (1.0, 0.5, 0.1), n=50)
    assert auc(curve) == pytest.approx(0.25 * 0.75 + 0.75 * 0.3)
    assert auc(curve, include_clean=False) == pytest.approx(0.25 * 0.5 + 0.75 * 0.1)


@settings(deadline=None, max_examples=100)
@given(curve=curves())
def test_area_is_that_of_numpy(curve: AccuracyCurve) -> None:
    expected = np.trapezoid(curve.accuracy, curve.levels) / curve.levels[-1]
    assert auc(curve) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(accuracy=st.lists(st.floats(0, 1), min_size=11, max_size=11))
def test_the_two_conventions_differ_by_a_twentieth_of_the_drop(accuracy: list[float]) -> None:
    curve = AccuracyCurve(TEN_STEPS, tuple(accuracy), n=100)
    without = auc(curve, include_clean=False)
    assert without == pytest.approx(np.mean(accuracy[1:]), abs=1e-12)
    assert auc(curve) - without == pytest.approx((accuracy[0] - accuracy[10]) / 20, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(curve=curves(), scale=st.floats(0.01, 100), include_clean=st.booleans())
def test_area_lies_within_the_accuracies_whatever_the_unit_of_the_level(
    curve: AccuracyCurve, scale: float, include_clean: bool
) -> None:
    area = auc(curve, include_clean=include_clean)
    assert min(curve.accuracy) - 1e-12 <= area <= max(curve.accuracy) + 1e-12
    scaled = AccuracyCurve(tuple(scale * v for v in curve.levels), curve.accuracy, curve.n)
    assert auc(scaled, include_clean=include_clean) == pytest.approx(area, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(curve=curves(), include_clean=st.booleans())
def test_weights_of_the_levels_sum_to_one(curve: AccuracyCurve, include_clean: bool) -> None:
    weights_V = auc_weights(curve.levels, include_clean)
    assert weights_V.sum() == pytest.approx(1)
    assert (weights_V >= 0).all()
    assert (weights_V[0] == 0) == (not include_clean)
    assert weights_V @ curve.accuracy == pytest.approx(auc(curve, include_clean=include_clean))


@pytest.mark.parametrize(
    "levels",
    [
        (),
        (0.0,),
        (0.0, 2.0, 1.0),
        (9.0, 2.0, 3.0),
        (0.0, 1.0, 1.0),
        (0.0, float("nan"), 2.0),
        (float("nan"), 1.0),
        (0.0, 1.0, float("inf")),
    ],
    ids=str,
)
@pytest.mark.parametrize("include_clean", [True, False])
def test_levels_that_do_not_go_one_way_are_refused(
    levels: tuple[float, ...], include_clean: bool
) -> None:
    with pytest.raises(MixqualError, match=r"must increase, or fall, from the clean one.*they are"):
        auc(AccuracyCurve(levels, (0.5,) * len(levels), 10), include_clean=include_clean)


@settings(deadline=None, max_examples=60)
@given(curve=curves(), include_clean=st.booleans(), start=st.floats(-50, 50))
def test_falling_levels_and_another_start_have_the_same_area(
    curve: AccuracyCurve, include_clean: bool, start: float
) -> None:
    area = auc(curve, include_clean=include_clean)
    falling = tuple(start - 2 * level for level in curve.levels)
    fallen = AccuracyCurve(falling, curve.accuracy, curve.n)
    assert auc(fallen, include_clean=include_clean) == pytest.approx(area, abs=1e-6)


def test_one_accuracy_too_few_is_refused() -> None:
    with pytest.raises(MixqualError, match="3 levels do not fit 2 accuracies"):
        auc(AccuracyCurve((0.0, 1.0, 2.0), (0.5, 0.4), 10))


# Intervals


def right_answers(images: int, chance: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(images) < chance).astype(np.float64)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("chance", [0.3, 0.85])
def test_the_interval_of_an_accuracy_is_the_normal_one(chance: float, confidence: float) -> None:
    right_N = right_answers(1500, chance, 0)
    low, high = Bootstrap.draw(1500, 3000, seed=1).interval(right_N, confidence)
    mean = right_N.mean()
    error = np.sqrt(mean * (1 - mean) / 1500)
    half = {0.5: 0.67449, 0.95: 1.95996}[confidence] * error
    # 3,000 resamples place a 2.5 % quantile to about 0.05 standard errors.
    assert low == pytest.approx(mean - half, abs=0.2 * error)
    assert high == pytest.approx(mean + half, abs=0.2 * error)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        right_N = right_answers(300, 0.7, seed)
        low, high = Bootstrap.draw(300, 400, seed).interval(right_N)
        held += low <= 0.7 <= high
    # 190 expected; the deviation of a binomial number of 200 is 3.1.
    assert 177 <= held <= 199


def test_differences_of_models_that_agree_are_known_better_than_each() -> None:
    first_N = right_answers(1000, 0.7, 0)
    second_N = first_N.copy()
    second_N[:20] = 1 - second_N[:20]  # they differ on 20 of 1,000 images
    bootstrap = Bootstrap.draw(1000, 2000, seed=0)
    first = bootstrap.interval(first_N)
    paired = bootstrap.interval(first_N - second_N)
    assert paired[1] - paired[0] < 0.4 * (first[1] - first[0])
    # Resampled apart, the difference would be less well known than one accuracy.
    apart = Bootstrap.draw(1000, 2000, seed=1).counts_RN @ second_N / 1000
    differences = bootstrap.counts_RN @ first_N / 1000 - apart
    low, high = np.quantile(differences, [0.025, 0.975])
    assert high - low > 1.2 * (first[1] - first[0])


def test_a_model_does_not_differ_from_itself() -> None:
    right_N = right_answers(100, 0.5, 0)
    assert Bootstrap.draw(100, 100, 0).interval(right_N - right_N) == (0.0, 0.0)


def test_resamples_are_the_same_for_a_seed_only() -> None:
    first = Bootstrap.draw(50, 100, seed=3).counts_RN
    np.testing.assert_array_equal(Bootstrap.draw(50, 100, seed=3).counts_RN, first)
    assert (Bootstrap.draw(50, 100, seed=4).counts_RN != first).any()


@pytest.mark.parametrize("part_bytes", [1, 3000, 2**26])
def test_resamples_are_the_same_in_parts_of_any_size(part_bytes: int) -> None:
    """As drawn, and multiplied, all at once by NumPy."""
    generator, shares_N = np.random.default_rng(3), np.full(300, 1 / 300)
    counts_RN = generator.multinomial(300, shares_N, size=100)
    bootstrap = Bootstrap.draw(300, 100, 3, part_bytes)
    np.testing.assert_array_equal(bootstrap.counts_RN, counts_RN)
    assert bootstrap.counts_RN.itemsize == 1
    values_N = np.random.default_rng(0).random(300)
    # Sums of 300 products: within their rounding.
    np.testing.assert_allclose(bootstrap.sums(values_N), counts_RN @ values_N, rtol=1e-13)
    right_N = values_N < 0.4
    np.testing.assert_array_equal(bootstrap.sums(right_N), counts_RN @ right_N)


def test_resamples_of_few_images_hold_all_counts() -> None:
    assert Bootstrap.draw(1, 100, 0).counts_RN.tolist() == [[1]] * 100


def test_resamples_take_a_byte_for_an_image_of_each() -> None:
    tracemalloc.start()
    bootstrap = Bootstrap.draw(2000, 4000, 0, part_bytes=2**20)
    bootstrap.interval(np.ones(2000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bootstrap.counts_RN.nbytes == 8_000_000
    assert peak < 2 * 8_000_000 + 6 * 2**20  # the parts, and what they are put together as


def test_resamples_draw_as_many_images_as_there_are_each_alike() -> None:
    counts_RN = Bootstrap.draw(40, 5000, seed=0).counts_RN
    assert counts_RN.shape == (5000, 40)
    assert (counts_RN.sum(1) == 40).all()
    assert (counts_RN >= 0).all()
    # Binomial of 40 draws with chance 1/40: mean 1, variance 0.975; bounds of 4.5 errors.
    assert np.abs(counts_RN.mean(0) - 1).max() < 4.5 * np.sqrt(0.975 / 5000)
    assert counts_RN.var() == pytest.approx(0.975, rel=0.02)


def test_the_area_of_a_resample_is_a_weighted_mean_of_the_images_contributions() -> None:
    # What makes one number an image enough: the definition, resample by resample.
    levels = (0.0, 1.0, 3.0, 10.0)
    generator = np.random.default_rng(0)
    right_VN = (generator.random((4, 60)) < [[0.9], [0.7], [0.5], [0.2]]).astype(float)
    contributions_N = auc_weights(levels) @ right_VN
    bootstrap = Bootstrap.draw(60, 20, seed=0)
    for counts_N in bootstrap.counts_RN:
        drawn = np.repeat(np.arange(60), counts_N.astype(int))
        accuracy = tuple(right_VN[:, drawn].mean(1).tolist())
        expected = auc(AccuracyCurve(levels, accuracy, 60))
        assert counts_N @ contributions_N / 60 == pytest.approx(expected)


def test_a_ratio_of_sums_is_a_mean_where_all_count_alike() -> None:
    bootstrap = Bootstrap.draw(40, 500, seed=3)
    values_N = np.random.default_rng(1).random(40)
    ends = bootstrap.ratio_interval(values_N, np.ones(40))
    assert ends == pytest.approx(bootstrap.interval(values_N))
    doubled = bootstrap.ratio_interval(2 * values_N, np.full(40, 2))
    assert doubled == pytest.approx(ends)


def test_a_ratio_without_a_whole_is_none() -> None:
    """Of 40 images a resample lacks any one often."""
    one_N = np.zeros(40)
    one_N[7] = 1
    assert Bootstrap.draw(40, 500, seed=3).ratio_interval(one_N, one_N) is None
