"""What each benchmark is aimed at: the ratio that a row should not be above."""

import re
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Target:
    """An aim for the rows of a benchmark that both patterns match as a whole."""

    benchmark: str
    what: str
    against: str
    at_most: float


# The first that fits a row counts. Rows that none fits are bounds, or parts of others.
_TARGETS = (
    Target("backbones", ".* in another error", ".*", 0.0),
    Target("cluster", "the same, but for the start of the worker", ".*", 1.05),
    Target("decode", ".*", ".*", 0.67),
    Target("distortions", "gaussian_noise", "floor: .*", 1.2),
    Target("distortions", "gaussian_blur", "(?!floor).*", round(1 / 1.3, 2)),
    Target("distortions", "gaussian_noise", ".*", 1.0),
    Target("distortions", ".*", "(?!floor).*", 1.5),
    Target("epoch", ".*", ".*", 1.05),
    Target("executor", ".*", "bound: .*", 1.0),
    Target("forward", ".*efficientnet_lite0, onnxruntime", "plain PyTorch", 0.25),
    Target("forward", ".*, onnxruntime", "onnxruntime by hand", 1.0),
    Target("mixture", ".* whole, patch gate", "one network", 3.1),
    Target("mixture", r".* 1\.00 experts an image", "one network", 1.25),
    Target("scaling", ".* exponent of (images|levels|experts)", ".*", 1.05),
    Target("service", "an image from the service.*", ".*", round(1 / 0.85, 2)),
    Target("sweep", ".*", "floor: .*", 1.1),
    Target("sweep", ".*", "torchvision .* for each model and level", round(1 / 7, 3)),
    Target("training", ".*", "plain PyTorch", 0.5),
    Target("tree_sweep", ".*", ".*", 0.6),
)


def target_of(benchmark: str, what: str, against: str) -> float | None:
    """The ratio that is aimed at, or none."""
    for target in _TARGETS:
        named = target.benchmark == benchmark and re.fullmatch(target.what, what)
        if named and re.fullmatch(target.against, against):
            return target.at_most
    return None
