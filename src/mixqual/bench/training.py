"""A training step as `fit` makes it on a CPU, against PyTorch's defaults."""

import torch
from torch import nn

from mixqual.bench.noise_images import noise_images
from mixqual.bench.plain import TRAINING, plain_defaults
from mixqual.bench.timing import Ratio, compare
from mixqual.config import BackboneConfig
from mixqual.networks import build_classifier
from mixqual.runtime import place

_BACKBONE = "timm/tf_efficientnet_lite0"
_SIDE, _BATCH, _CLASSES, _REPETITIONS = 224, 32, 4, 7


def measure() -> list[Ratio]:
    """Compare one step: forward, backward, update. Decoding and distorting are not part of it."""
    config = BackboneConfig(name=_BACKBONE, weights="random")
    network = place(build_classifier(config, _CLASSES, 0), torch.device("cpu")).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    images_BCHW, labels_B = noise_images(_BATCH, _SIDE).batch(range(_BATCH))

    def step() -> None:
        loss = nn.functional.cross_entropy(network(images_BCHW), labels_B)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    settings = f"{_SIDE} pixels, batch {_BATCH}, {torch.get_num_threads()} threads"
    with plain_defaults(TRAINING, _BACKBONE, classes=_CLASSES, batch=_BATCH, side=_SIDE) as plain:
        return [
            compare(
                f"training step of {_BACKBONE}",
                step,
                "plain PyTorch",
                plain,
                settings=settings,
                repetitions=_REPETITIONS,
            )
        ]
