"""What the modern recipe adds to a training step: its average, its schedule, its augmentation."""

import gc
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, compare
from mixqual.bench.training_task import training_task
from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.networks import build_classifier
from mixqual.training import Augmentation, fit

_BACKBONE, _SIDE, _BATCH, _STEPS, _CLASSES = "timm/tf_efficientnet_lite0", 128, 32, 20, 4
_FRACTIONS, _WORST = {"gaussian_blur": 0.375}, {"gaussian_blur": 5.7}
_REPETITIONS = 3
_MODERN = TrainingConfig.model_validate(
    {
        "recipe": "modern",
        "batch_size": _BATCH,
        "max_epochs": 1,
        "horizontal_flip": True,
        "vertical_flip": True,
    }
)
_PLAIN = _MODERN.model_copy(
    update={
        "average": 0.0,
        "schedule": "constant",
        "horizontal_flip": False,
        "vertical_flip": False,
    }
)


def measure() -> list[Ratio]:
    """An epoch of `fit` with all of the recipe, and with its optimiser alone."""
    gc.freeze()  # as in `epoch`
    try:
        return [
            compare(
                "an epoch under the modern recipe",
                lambda: _epoch(_MODERN),
                "without its average, schedule and augmentation",
                lambda: _epoch(_PLAIN),
                settings=(
                    f"{_BACKBONE} at {_SIDE} pixels, batch {_BATCH}, {_STEPS} steps, one "
                    f"validation image, checkpoints, {torch.get_num_threads()} threads"
                ),
                repetitions=_REPETITIONS,
            )
        ]
    finally:
        gc.unfreeze()


def _epoch(config: TrainingConfig) -> None:
    network = build_classifier(BackboneConfig(name=_BACKBONE, weights="random"), _CLASSES, 0)
    images = noise_images(_BATCH * _STEPS, _SIDE)
    task = training_task(
        images, noise_images(1, _SIDE), _FRACTIONS, _WORST, Augmentation.of(config)
    )
    with tempfile.TemporaryDirectory() as folder:
        new = network.new_parameters()
        fit(network, new, task, config, Accelerator(cpu=True), Path(folder))
