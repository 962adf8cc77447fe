"""What a network is trained for, and the batches of images that it is shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from mixqual.data import ImageSet
from mixqual.distortions import Assignment, Distortion, Schedule, distort
from mixqual.seeding import derive_seed


@final
@dataclass(frozen=True)
class Task:
    """What a network is trained for: images, distortions, targets and loss."""

    title: str
    train: ImageSet
    val: ImageSet
    schedule: Schedule
    distortions: Mapping[str, Distortion]
    """In the order of the schedule's `ranges`."""
    targets: Callable[[Tensor, Assignment], Tensor]
    """From labels_B and their assignment to whatever `losses` compares outputs with."""
    losses: Callable[[Tensor, Tensor], Tensor]
    """From outputs and targets to losses_B, one per image; their mean is minimised."""
    seed: int
    """Of this fit: order of images, distortions, dropout."""
    val_seed: int
    """Of the validation images' fixed distortions; the same for all that is compared."""


@final
@dataclass(frozen=True)
class Batch:
    """Which images come together, and what is done to them."""

    positions_B: Tensor
    assignment: Assignment
    seed: int


def batches(task: Task, size: int, first: int, epoch: int) -> Iterator[Batch]:
    """The batches of one epoch from number `first` on; the ragged last one is dropped."""
    generator = torch.Generator().manual_seed(derive_seed(task.seed, "order", epoch))
    order_N = torch.randperm(len(task.train), generator=generator)
    for number in range(first, len(order_N) // size):
        seed = derive_seed(task.seed, "batch", epoch, number)
        yield Batch(
            order_N[number * size : (number + 1) * size], task.schedule.draw(size, seed), seed
        )


def validation_assignment(task: Task) -> Assignment:
    """The fixed distortions of the validation images: the mix of training, drawn once."""
    return task.schedule.draw(len(task.val), derive_seed(task.val_seed, "validation"))


def prepared(
    task: Task,
    images: ImageSet,
    positions_B: Tensor,
    assignment: Assignment,
    seed: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Distorted images_BCHW and what the outputs of a network for them are compared with."""
    images_BCHW, labels_B = images.batch(positions_B, device)
    distorted_BCHW = distort(images_BCHW, assignment, task.distortions, seed)
    return distorted_BCHW, task.targets(labels_B, assignment).to(device)
