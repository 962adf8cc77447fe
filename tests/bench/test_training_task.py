"""The task of the benchmarks: what is distorted, how much, and what counts."""

import torch
from torch.nn import functional

from mixqual.bench.noise_images import noise_images
from mixqual.bench.training_task import training_task
from mixqual.training.task import batches

WORST = {"gaussian_noise": 100.0, "gaussian_blur": 10.0}


def test_a_fraction_of_each_batch_is_distorted_up_to_the_worst_level() -> None:
    task = training_task(
        noise_images(16, 8),
        noise_images(1, 8),
        {"gaussian_noise": 0.5, "gaussian_blur": 0.25},
        WORST,
    )
    kinds = list(task.distortions)
    for batch in batches(task, 8, 0, 0):
        chosen = batch.assignment.kinds_B.tolist()
        assert [chosen.count(number) for number in (0, 1, -1)] == [4, 2, 2]
        for number, level in zip(chosen, batch.assignment.levels_B.tolist(), strict=True):
            assert 0 <= level <= (WORST[kinds[number]] if number >= 0 else 0)


def test_without_fractions_nothing_is_distorted() -> None:
    task = training_task(noise_images(4, 8), noise_images(1, 8), {}, {})
    (batch,) = batches(task, 4, 0, 0)
    assert batch.assignment.kinds_B.tolist() == [-1] * 4
    assert not task.distortions


def test_each_image_has_a_loss_for_its_class() -> None:
    task = training_task(noise_images(2, 8), noise_images(1, 8), {}, {})
    (batch,) = batches(task, 2, 0, 0)
    logits_BK, labels_B = torch.randn(2, 3), torch.tensor([2, 0])
    assert task.targets(labels_B, batch.assignment) is labels_B
    expected_B = [
        functional.cross_entropy(logits_BK[n : n + 1], labels_B[n : n + 1]) for n in (0, 1)
    ]
    torch.testing.assert_close(task.losses(logits_BK, labels_B), torch.stack(expected_B))
