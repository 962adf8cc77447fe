"""What a task draws is tested where it is used, by `fit`; here, that its parts fit together."""

import torch
from small_elpv import cell_set
from torch import Tensor

from mixqual.distortions import Assignment, Schedule, distort, distortion
from mixqual.training import Task
from mixqual.training.task import batches, prepared

CPU = torch.device("cpu")


def task() -> Task:
    def targets(labels_B: Tensor, assignment: Assignment) -> Tensor:
        return labels_B + 10 * (assignment.kinds_B + 1)

    return Task(
        title="test",
        train=cell_set(4),
        val=cell_set(2, first=7),
        schedule=Schedule({"gaussian_noise": 0.5}, {"gaussian_noise": (0, 100)}),
        distortions={"gaussian_noise": distortion("gaussian_noise")},
        targets=targets,
        losses=lambda outputs_B, targets_B: outputs_B - targets_B,
        seed=1,
        val_seed=2,
    )


def test_a_share_of_a_batch_is_that_part_of_the_whole() -> None:
    """So several processes see together what one would, bit for bit."""
    job = task()
    batch = next(iter(batches(job, 8, 0, 0)))
    whole_BCHW, targets_B = prepared(job, job.train, batch, CPU)
    for first in (0, 1):
        share = slice(first, None, 2)
        part_BCHW, part_B = prepared(job, job.train, batch.part(share), CPU)
        assert torch.equal(part_BCHW, whole_BCHW[share])
        assert torch.equal(part_B, targets_B[share])


def test_images_labels_and_distortions_belong_together() -> None:
    job = task()
    batch = next(iter(batches(job, 8, 0, 0)))
    seen_BCHW, targets_B = prepared(job, job.train, batch, CPU)
    images_BCHW, labels_B = job.train.batch(batch.positions_B)
    expected_BCHW = distort(images_BCHW, batch.assignment, job.distortions, batch.seed)
    assert torch.equal(seen_BCHW, expected_BCHW)
    noisy_B = (seen_BCHW != images_BCHW).flatten(1).any(1)
    assert noisy_B.sum() == 4
    assert torch.equal(targets_B, labels_B + 10 * noisy_B)
