"""What a network is trained for, and the batches of images that it is shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from mixqual.data import ImageSet
from mixqual.distortions import Assignment, Distortion, Schedule, distort
from mixqual.seeding import derive_seed
from mixqual.training.augmentation import NOTHING, Augmentation, Moves


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
    augmentation: Augmentation = NOTHING
    """What is done to training images before they are distorted."""


@final
@dataclass(frozen=True)
class Batch:
    """Which images come together, and what is done to them."""

    positions_B: Tensor
    assignment: Assignment
    seed: int
    moves: Moves | None

    def part(self, chosen: slice) -> "Batch":
        """What one of several processes takes of it."""
        return Batch(
            self.positions_B[chosen],
            self.assignment.part(chosen),
            self.seed,
            self.moves and self.moves.part(chosen),
        )


def batches(task: Task, size: int, first: int, epoch: int) -> Iterator[Batch]:
    """The batches of one epoch from number `first` on; the ragged last one is dropped."""
    generator = torch.Generator().manual_seed(derive_seed(task.seed, "order", epoch))
    order_N = torch.randperm(len(task.train), generator=generator)
    for number in range(first, len(order_N) // size):
        seed = derive_seed(task.seed, "batch", epoch, number)
        yield Batch(
            order_N[number * size : (number + 1) * size],
            task.schedule.draw(size, seed),
            seed,
            task.augmentation.draw(size, derive_seed(task.seed, "moves", epoch, number)),
        )


def validation_assignment(task: Task) -> Assignment:
    """The fixed distortions of the validation images: the mix of training, drawn once."""
    return task.schedule.draw(len(task.val), derive_seed(task.val_seed, "validation"))


def prepared(
    task: Task, images: ImageSet, batch: Batch, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Distorted images_BCHW and what the outputs of a network for them are compared with."""
    images_BCHW, labels_B = images.batch(batch.positions_B, device)
    if batch.moves:
        images_BCHW = batch.moves(images_BCHW)
    distorted_BCHW = distort(images_BCHW, batch.assignment, task.distortions, batch.seed)
    return distorted_BCHW, task.targets(labels_B, batch.assignment).to(device)
