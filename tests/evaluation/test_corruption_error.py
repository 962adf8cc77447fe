import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.errors import MixqualError
from mixqual.evaluation import Bootstrap
from mixqual.evaluation.corruption_error import (
    ALEXNET,
    ErrorRates,
    corruption_error_results,
    corruption_errors,
    mce_info,
    mean_corruption_error,
    relative_corruption_errors,
    relative_mce_info,
)

FIFTEEN = list(ALEXNET.distorted)[:15]

# Error rates of AlexNet at severities 1 to 5, as published with the benchmark.
ALEXNET_BY_SEVERITY = {
    "gaussian_noise": (0.69528, 0.82542, 0.93554, 0.98138, 0.99452),
    "shot_noise": (0.71224, 0.85108, 0.93574, 0.98182, 0.99146),
    "impulse_noise": (0.78374, 0.89808, 0.9487, 0.9872, 0.99548),
    "defocus_blur": (0.65624, 0.73202, 0.85036, 0.91364, 0.94714),
    "glass_blur": (0.64308, 0.75054, 0.88806, 0.91622, 0.93344),
    "motion_blur": (0.5843, 0.70048, 0.82108, 0.8975, 0.92638),
    "zoom_blur": (0.70008, 0.76992, 0.80784, 0.84198, 0.87198),
    "snow": (0.71726, 0.88392, 0.86468, 0.9187, 0.94952),
    "frost": (0.6139, 0.79734, 0.8879, 0.89942, 0.9343),
    "fog": (0.67474, 0.7605, 0.84378, 0.8726, 0.945),
    "brightness": (0.4514, 0.48502, 0.54048, 0.62166, 0.7244),
    "contrast": (0.64548, 0.7615, 0.88874, 0.9776, 0.9927),
    "elastic_transform": (0.52596, 0.70116, 0.55686, 0.64076, 0.80554),
    "pixelate": (0.52218, 0.5462, 0.73728, 0.87092, 0.91262),
    "jpeg_compression": (0.51002, 0.54718, 0.57294, 0.65458, 0.74778),
}

# Of ResNet-50: corruption errors in the paper's Table 1, in whole percent.
RESNET50 = dict(
    zip(FIFTEEN, (80, 82, 83, 75, 89, 78, 80, 78, 75, 66, 57, 71, 85, 77, 77), strict=True)
)


def test_alexnet_s_errors_are_the_means_of_those_published_by_severity() -> None:
    assert list(ALEXNET_BY_SEVERITY) == FIFTEEN
    for name, errors in ALEXNET_BY_SEVERITY.items():
        assert ALEXNET.distorted[name] == pytest.approx(np.mean(errors), abs=1e-6)
    assert round(ALEXNET.clean, 3) == 0.435  # the paper's 43.5 %


def test_the_baseline_has_100_and_one_that_loses_nothing_0() -> None:
    for errors in (
        corruption_errors(ALEXNET, ALEXNET),
        relative_corruption_errors(ALEXNET, ALEXNET),
    ):
        assert len(errors) == 19
        assert list(errors.values()) == pytest.approx([100] * 19)
        assert mean_corruption_error(errors) == pytest.approx(100)
    steady = ErrorRates("steady", 0.2, dict.fromkeys(FIFTEEN, 0.2))
    assert mean_corruption_error(relative_corruption_errors(steady, ALEXNET)) == 0


@pytest.mark.parametrize(
    ("name", "accuracy", "printed"),
    [("brightness", 68.02, 56.64), ("contrast", 39.06, 71.43), ("gaussian_noise", 29.29, 79.77)],
)
def test_corruption_errors_that_others_print_for_resnet50(
    name: str, accuracy: float, printed: float
) -> None:
    model = ErrorRates("ResNet-50", 0.239, {name: 1 - accuracy / 100})
    assert corruption_errors(model, ALEXNET)[name] == pytest.approx(printed, abs=0.01)
    assert round(printed) == RESNET50[name]


def test_both_means_that_the_paper_prints_for_resnet50() -> None:
    """Within what rounding the 15 errors to whole percent can do, which relative errors enlarge."""
    model = ErrorRates(
        "ResNet-50",
        0.239,
        {name: ce / 100 * ALEXNET.distorted[name] for name, ce in RESNET50.items()},
    )
    assert mean_corruption_error(corruption_errors(model, ALEXNET)) == pytest.approx(76.7, abs=0.3)
    relative = mean_corruption_error(relative_corruption_errors(model, ALEXNET))
    assert relative == pytest.approx(105.0, abs=1.5)


def test_a_case_worked_out_by_hand() -> None:
    """Sums over levels: of a 0.3 + 0.5 against 0.4 + 0.6, of b 0.2 + 0.4 against 0.5 + 0.7."""
    model = ErrorRates("model", 0.1, {"a": 0.8 / 2, "b": 0.6 / 2})
    baseline = ErrorRates("baseline", 0.2, {"a": 1.0 / 2, "b": 1.2 / 2, "unused": 0.9})
    errors = corruption_errors(model, baseline)
    assert errors == pytest.approx({"a": 80.0, "b": 50.0})
    assert mean_corruption_error(errors) == pytest.approx(65.0)
    relative = relative_corruption_errors(model, baseline)
    assert relative == pytest.approx({"a": 100 * 0.6 / 0.6, "b": 100 * 0.4 / 0.8})
    assert mean_corruption_error(relative) == pytest.approx(75.0)


def test_no_ratio_to_a_baseline_that_makes_no_error_or_loses_nothing() -> None:
    model = ErrorRates("model", 0.1, {"a": 0.4, "b": 0.4})
    perfect = ErrorRates("perfect", 0.0, {"a": 0.0, "b": 0.2})
    assert corruption_errors(model, perfect)["a"] is None
    assert mean_corruption_error(corruption_errors(model, perfect)) is None
    gaining = ErrorRates("gaining", 0.3, {"a": 0.2, "b": 0.3})
    assert list(relative_corruption_errors(model, gaining).values()) == [None, None]
    assert corruption_errors(model, gaining) == pytest.approx({"a": 200.0, "b": 400 / 3})


def test_refuses_a_baseline_without_the_distortion() -> None:
    model = ErrorRates("model", 0.1, {"jpeg": 0.4})
    for errors in (corruption_errors, relative_corruption_errors):
        with pytest.raises(MixqualError, match="AlexNet has no error for jpeg"):
            errors(model, ALEXNET)
    with pytest.raises(MixqualError, match="no distortion"):
        corruption_errors(ErrorRates("model", 0.1, {}), ALEXNET)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_numbers_image_by_image_have_the_mean_of_the_whole_and_an_interval(seed: int) -> None:
    generator = np.random.default_rng(seed)
    clean_N = (generator.random(60) < 0.2).astype(float)
    each = {name: (generator.random((60, 5)) < 0.6).mean(1) for name in FIFTEEN}
    by_image = ErrorRates("model", clean_N, each)
    whole = ErrorRates(
        "model", float(clean_N.mean()), {name: float(rate.mean()) for name, rate in each.items()}
    )
    found = corruption_error_results(by_image, ALEXNET, Bootstrap.draw(60, 200, seed))
    for key, errors in (("mce", corruption_errors), ("relative_mce", relative_corruption_errors)):
        expected = mean_corruption_error(errors(whole, ALEXNET))
        assert found[key]["value"] == pytest.approx(expected, abs=2e-6)
        low, high = found[key]["ci95"]
        assert low < found[key]["value"] < high
    assert found["distortions"]["fog"]["error"] == pytest.approx(whole.distorted["fog"], abs=1e-6)
    assert found["baseline_clean_error"] == 0.43478


def test_an_undefined_ratio_is_none_in_results() -> None:
    model = ErrorRates("model", np.zeros(4), {"a": np.ones(4)})
    found = corruption_error_results(
        model, ErrorRates("steady", 0.3, {"a": 0.3}), Bootstrap.draw(4, 100, 0)
    )
    assert found["relative_mce"] == {"value": None, "ci95": None}
    assert found["distortions"]["a"]["relative_ce"] is None
    assert found["mce"]["value"] == pytest.approx(1000 / 3, abs=1e-5)


def test_definitions_name_the_baseline() -> None:
    for info in (mce_info("AlexNet"), relative_mce_info("AlexNet")):
        assert "AlexNet" in info.formula
        assert "Hendrycks" in info.source
        assert info.better == "lower"
