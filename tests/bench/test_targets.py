"""What is aimed at, row by row."""

import pytest

from mixqual.bench import benchmarks
from mixqual.bench.targets import _TARGETS, target_of


@pytest.mark.parametrize(
    ("benchmark", "what", "against", "target"),
    [
        ("cluster", "the same, but for the start of the worker", "stages of a study in", 1.05),
        ("cluster", "stages of a study by a Ray worker", "stages of a study in this", None),
        ("decode", "decoding 400 PNG files", "Pillow, one after the other", 0.67),
        ("distortions", "gaussian_blur", "opencv-python-headless 4.12", 0.77),
        ("distortions", "gaussian_noise", "floor: one normal draw a value", 1.2),
        ("distortions", "zoom_blur", "opencv 4.12", 1.5),
        ("distortions", "ImageNet-C's gaussian_blur", "imagecorruptions 1.1.2", 1.5),
        ("mixture", "M_mix whole, patch gate", "one network", 3.1),
        ("mixture", "M_mix whole, paper gate", "one network", None),
        ("mixture", "M_mix conditional, patch gate, 1.00 experts an image", "one network", 1.25),
        ("mixture", "M_mix conditional, patch gate, 1.25 experts an image", "one network", None),
        ("mixture", "M_mix conditional, patch gate, 1.00 experts an image", "floor: gate", None),
        ("scaling", "sweep, exponent of images", "1, which is linear", 1.05),
        ("scaling", "sweep, exponent of (1 / threads)", "1, which is linear", None),
        ("sweep", "sweep, eager", "floor: the same", 1.1),
        ("sweep", "sweep with decoding", "torchvision 1: a pass for each model and level", 0.143),
        ("sweep", "sweep", "torchvision 1: a pass for each model and level, if blur", None),
        ("forward", "timm/tf_efficientnet_lite0, onnxruntime", "plain PyTorch", 0.25),
        ("forward", "timm/tf_efficientnet_lite0, eager", "plain PyTorch", None),
        ("forward", "torchvision/resnet50, onnxruntime", "onnxruntime by hand", 1.0),
        ("training", "training step of timm/tf_efficientnet_lite0", "plain PyTorch", 0.5),
        ("service", "an image from the service, one to a request", "the predictor", 1.18),
        ("executor", "a stage on a Ray cluster of this machine", "bound: 20 ms", 1.0),
        ("startup", "import mixqual", "floor: python -c pass", None),
    ],
)
def test_the_first_that_fits_counts(
    benchmark: str, what: str, against: str, target: float | None
) -> None:
    assert target_of(benchmark, what, against) == target


def test_every_target_is_of_a_benchmark() -> None:
    assert {target.benchmark for target in _TARGETS} <= set(benchmarks())
