"""Corruption errors: error rates under distortion, as percentages of those of a baseline.

D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", ICLR 2019, Section 4.1. There a distortion has five severities and the baseline is
AlexNet; the same formulas hold for the levels of any grid and for any baseline.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import MixqualError
from mixqual.evaluation.curves import Bootstrap
from mixqual.evaluation.metrics import MetricInfo

Rate = float | NDArray[np.float64]
"""An error rate in 0...1, or one number an image whose mean it is."""

_SOURCE = "Hendrycks & Dietterich, ICLR 2019"


@final
@dataclass(frozen=True)
class ErrorRates:
    """The error rates of one classifier on clean and on distorted images."""

    name: str
    clean: Rate
    distorted: Mapping[str, Rate]
    """Of each distortion: the mean over its levels, the clean one not among them."""
    source: str = ""
    """Where the numbers are from."""


ALEXNET = ErrorRates(
    name="AlexNet",
    clean=0.43478,
    distorted={
        "gaussian_noise": 0.886428,
        "shot_noise": 0.894468,
        "impulse_noise": 0.922640,
        "defocus_blur": 0.819880,
        "glass_blur": 0.826268,
        "motion_blur": 0.785948,
        "zoom_blur": 0.798360,
        "snow": 0.866816,
        "frost": 0.826572,
        "fog": 0.819324,
        "brightness": 0.564592,
        "contrast": 0.853204,
        "elastic_transform": 0.646056,
        "pixelate": 0.717840,
        "jpeg_compression": 0.606500,
        # The four that the benchmark holds out for validation.
        "speckle_noise": 0.845388,
        "gaussian_blur": 0.787108,
        "spatter": 0.717512,
        "saturate": 0.658248,
    },
    source=(
        "errors on ImageNet-C as the authors of the benchmark published them, over all 50,000 "
        "validation images at 224 pixels; clean as torchvision states it"
    ),
)
"""The baseline of ImageNet-C: means over its severities 1 to 5, by its names."""


def mce_info(baseline: str) -> MetricInfo:
    """The definition of the mean corruption error against a baseline, for reports."""
    return MetricInfo(
        "mCE",
        f"100 * mean over distortions of (sum over levels of the error) / (the same sum for "
        f"{baseline})",
        "lower",
        f"0 upwards; {baseline} has 100",
        _SOURCE,
    )


def relative_mce_info(baseline: str) -> MetricInfo:
    """The definition of the relative mean corruption error against a baseline, for reports."""
    return MetricInfo(
        "relative mCE",
        "100 * mean over distortions of (sum over levels of the error minus the clean error) / "
        f"(the same sum for {baseline})",
        "lower",
        f"any number; {baseline} has 100, one that loses nothing 0",
        _SOURCE,
    )


def corruption_errors(model: ErrorRates, baseline: ErrorRates) -> dict[str, Rate | None]:
    """CE of each of the model's distortions: 100 * (sum_s E_s) / (sum_s E_s of the baseline).

    In percent, from 0 upwards; the baseline itself has 100. None where the baseline makes no error.
    Both models must have been given the same levels, as then the ratio of sums over them is that of
    means. Rates of the model may be one number an image, and then so are the results. Raises
    `MixqualError` if the baseline lacks a distortion.
    """
    _check(model, baseline)
    return {
        name: 100 * error / baseline.distorted[name] if baseline.distorted[name] else None
        for name, error in model.distorted.items()
    }


def relative_corruption_errors(model: ErrorRates, baseline: ErrorRates) -> dict[str, Rate | None]:
    """Relative CE: 100 * (sum_s (E_s - E_clean)) / (the same of the baseline), in percent.

    It asks how much is lost, whatever the clean error is. None where the baseline loses nothing,
    as the ratio then has no meaning. Otherwise as `corruption_errors`.
    """
    _check(model, baseline)
    lost = {name: error - baseline.clean for name, error in baseline.distorted.items()}
    return {
        name: 100 * (error - model.clean) / lost[name] if lost[name] > 0 else None
        for name, error in model.distorted.items()
    }


def mean_corruption_error(errors: Mapping[str, Rate | None]) -> Rate | None:
    """The mean over distortions of their (relative) CE; None if one of them has none."""
    rates = [rate for rate in errors.values() if rate is not None]
    if len(rates) < len(errors):
        return None
    mean: Rate = sum(rates) / len(rates)
    return mean


def corruption_error_results(
    model: ErrorRates, baseline: ErrorRates, bootstrap: Bootstrap, digits: int = 6
) -> dict[str, Any]:
    """All corruption errors of a model as results have them.

    The rates of `model` are one number an image. Intervals are over its images; the baseline's
    rates are taken as they are.
    """
    errors = corruption_errors(model, baseline)
    relative = relative_corruption_errors(model, baseline)

    def mean(rate: Rate | None) -> float | None:
        return None if rate is None else round(float(np.mean(rate)), digits)

    def over_distortions(each: Mapping[str, Rate | None]) -> dict[str, Any]:
        rate = mean_corruption_error(each)
        ends = None if rate is None else bootstrap.interval(np.asarray(rate))
        return {"value": mean(rate), "ci95": ends and [round(end, digits) for end in ends]}

    return {
        "baseline": baseline.name,
        "source": baseline.source,
        "clean_error": mean(model.clean),
        "baseline_clean_error": mean(baseline.clean),
        "mce": over_distortions(errors),
        "relative_mce": over_distortions(relative),
        "distortions": {
            name: {
                "error": mean(error),
                "baseline_error": mean(baseline.distorted[name]),
                "ce": mean(errors[name]),
                "relative_ce": mean(relative[name]),
            }
            for name, error in model.distorted.items()
        },
        "metric_info": {
            "mce": asdict(mce_info(baseline.name)),
            "relative_mce": asdict(relative_mce_info(baseline.name)),
        },
    }


def _check(model: ErrorRates, baseline: ErrorRates) -> None:
    missing = [name for name in model.distorted if name not in baseline.distorted]
    if missing or not model.distorted:
        raise MixqualError(
            f"{baseline.name} has no error for {', '.join(missing) or 'no distortion'}; compare "
            "the same distortions"
        )
