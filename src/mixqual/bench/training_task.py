"""What a network is trained for where only the time counts."""

from collections.abc import Mapping
from functools import partial

from torch import nn

from mixqual.data import ImageSet
from mixqual.distortions import Schedule, distortion
from mixqual.training import NOTHING, Augmentation, Task


def training_task(
    images: ImageSet,
    val: ImageSet,
    fractions: Mapping[str, float],
    worst: Mapping[str, float],
    augmentation: Augmentation = NOTHING,
) -> Task:
    """Naming the class of each image, with `fractions` of a batch distorted, up to `worst`."""
    return Task(
        title="bench",
        train=images,
        val=val,
        schedule=Schedule(fractions, {kind: (0.0, worst[kind]) for kind in fractions}),
        distortions={kind: distortion(kind) for kind in fractions},
        targets=lambda labels_B, _: labels_B,
        losses=partial(nn.functional.cross_entropy, reduction="none"),
        seed=0,
        val_seed=0,
        augmentation=augmentation,
    )
