"""One epoch of an expert with distortions on, against the same steps on tensors that are ready."""

import gc
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, compare
from mixqual.bench.training_task import training_task
from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.networks import build_classifier
from mixqual.runtime import place
from mixqual.training import fit

_BACKBONE, _SIDE, _BATCH, _STEPS, _CLASSES = "timm/tf_efficientnet_lite0", 128, 32, 10, 4
_EXPERTS = {
    "gaussian_noise": {"gaussian_noise": 0.5},
    "gaussian_blur": {"gaussian_blur": 0.5},
}
"""What the experts are trained on, as shares of a batch."""
_WORST = {"gaussian_noise": 100.0, "gaussian_blur": 10.0}
_REPETITIONS = 3


def measure() -> list[Ratio]:
    """Experts of noise and of blur."""
    # A fit looks for garbage once, at its end, however many epochs it has; what is loaded is none.
    gc.freeze()
    try:
        return [_epoch(name, fractions) for name, fractions in _EXPERTS.items()]
    finally:
        gc.unfreeze()


def _epoch(name: str, fractions: dict[str, float]) -> Ratio:
    """`fit` over an epoch, loading, distorting and validation included, against the arithmetic."""
    config = TrainingConfig(batch_size=_BATCH, max_epochs=1)
    images = noise_images(_BATCH * _STEPS, _SIDE)
    network = place(
        build_classifier(BackboneConfig(name=_BACKBONE, weights="random"), _CLASSES, 0),
        torch.device("cpu"),
    )
    task = training_task(images, noise_images(1, _SIDE), fractions, _WORST)
    accelerator = Accelerator(cpu=True)
    ready_BCHW, labels_B = images.batch(range(_BATCH))

    def fitted() -> None:
        with tempfile.TemporaryDirectory() as folder:
            new = network.new_parameters()
            fit(network, new, task, config, accelerator, Path(folder))

    def steps() -> None:
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), lr=config.lr, momentum=config.momentum)
        for _ in range(_STEPS):
            loss = nn.functional.cross_entropy(network(ready_BCHW), labels_B)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return compare(
        f"an epoch of the expert of {name}",
        fitted,
        "floor: the same steps on ready tensors",
        steps,
        settings=(
            f"{_BACKBONE} at {_SIDE} pixels, batch {_BATCH}, {_STEPS} steps, one validation "
            f"image, checkpoints, {torch.get_num_threads()} threads"
        ),
        repetitions=_REPETITIONS,
    )
