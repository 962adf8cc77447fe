"""Recipes: rates by their closed form, AdamW and the average written out, resuming to the bit."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from killable import fit_module
from small_elpv import cell_set
from test_fit import (
    DISTORTIONS,
    assert_same_weights,
    classifier,
    interrupting,
    run,
    task,
)
from torch import Tensor, nn

from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.distortions import Assignment, distort
from mixqual.errors import BackboneError
from mixqual.networks import build_classifier, check_backbone
from mixqual.training import Augmentation, load_tensors, validations
from mixqual.training.recipe import Schedule, make_optimizer, validates
from mixqual.training.task import batches

MODERN = TrainingConfig.model_validate(
    {
        "recipe": "modern",
        "batch_size": 8,
        "max_epochs": 3,
        "horizontal_flip": True,
        "vertical_flip": True,
    }
)
AUGMENTED = replace(task(), augmentation=Augmentation.of(MODERN))


@pytest.mark.parametrize(("steps", "warmup"), [(40, 0.05), (40, 0.5), (200, 0.0), (2, 0.05)])
def test_the_rate_rises_linearly_and_falls_as_a_cosine(steps: int, warmup: float) -> None:
    config = MODERN.model_copy(update={"warmup": warmup, "lr": 0.3})
    optimizer = make_optimizer(nn.Linear(2, 2), [], config)
    schedule = Schedule(optimizer, config, steps)
    rising = int(warmup * steps)
    for step in range(steps):
        schedule.set_rate(step)
        if step + 1 < rising:
            expected = 0.3 * (step + 1) / rising
        else:
            way = (step + 1 - rising) / (steps - rising + 1)
            expected = 0.3 * (1 + math.cos(math.pi * way)) / 2
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(expected, abs=1e-12)
        assert expected > 0


def test_a_constant_rate_stays() -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), [], TrainingConfig(lr=0.3))
    schedule = Schedule(optimizer, TrainingConfig(lr=0.3), 10)
    schedule.set_rate(7)
    assert {group["lr"] for group in optimizer.param_groups} == {0.3}


def test_steps_are_those_of_adamw_and_what_is_kept_is_their_average(tmp_path: Path) -> None:
    """Three epochs of one step: AdamW with bias correction, decay of matrices, smoothed labels."""
    job = replace(
        task(train=cell_set(2), val=cell_set(1, first=7)),
        losses=lambda logits_BK, labels_B: nn.functional.cross_entropy(
            logits_BK, labels_B, reduction="none", label_smoothing=0.1
        ),
        augmentation=Augmentation.of(MODERN),
    )
    # A large epsilon of the optimiser's would be needed to forgive rounding; few steps do as well.
    config = MODERN.model_copy(update={"lr": 0.01, "lr_new": 0.02, "weight_decay": 0.3})
    expected = classifier("test_efficientnet_gn")
    head = {id(parameter) for parameter in expected.new_parameters()}
    first = {name: torch.zeros_like(p) for name, p in expected.named_parameters()}
    second = {name: torch.zeros_like(p) for name, p in expected.named_parameters()}
    average: dict[str, Tensor] = {}
    for epoch in range(3):
        (batch,) = batches(job, 8, 0, epoch)
        images_BCHW, labels_B = job.train.batch(batch.positions_B)
        assert batch.moves is not None
        images_BCHW = distort(batch.moves(images_BCHW), batch.assignment, DISTORTIONS, batch.seed)
        expected.zero_grad()
        logs_BK = expected(images_BCHW).log_softmax(1)
        smoothed_B = 0.9 * logs_BK[torch.arange(8), labels_B] + 0.1 * logs_BK.mean(1)
        (-smoothed_B.mean()).backward()
        cosine = (1 + math.cos(math.pi * (epoch + 1) / 4)) / 2
        with torch.no_grad():
            for name, parameter in expected.named_parameters():
                assert parameter.grad is not None
                rate = (0.02 if id(parameter) in head else 0.01) * cosine
                parameter *= 1 - rate * (0.3 if parameter.ndim > 1 else 0)
                first[name] = 0.9 * first[name] + 0.1 * parameter.grad
                second[name] = 0.999 * second[name] + 0.001 * parameter.grad**2
                m, v = (
                    first[name] / (1 - 0.9 ** (epoch + 1)),
                    second[name] / (1 - 0.999 ** (epoch + 1)),
                )
                parameter -= rate * m / (v.sqrt() + 1e-8)
                share = 1 - (1 + epoch) ** (-2 / 3)
                before = average.get(name, parameter)
                average[name] = share * before + (1 - share) * parameter
    network, fitted = run(tmp_path, job, config, network=classifier("test_efficientnet_gn"))
    assert (fitted.steps, fitted.epochs, fitted.best_epoch) == (3, 3, 3)
    state, _ = load_tensors(tmp_path / "state.safetensors")
    kept, _ = load_tensors(tmp_path / "weights.safetensors")
    moved = 0
    for name, parameter in expected.named_parameters():
        # Where a gradient is all but zero AdamW still takes a whole step, of a sign by rounding.
        large = first[name].abs() > 1e-5
        torch.testing.assert_close(
            state[f"network.{name}"][large], parameter.detach()[large], rtol=1e-3, atol=1e-4
        )
        torch.testing.assert_close(
            kept[name][large], average[name].detach()[large], rtol=1e-3, atol=1e-4
        )
        moved += int((kept[name] != state[f"network.{name}"]).sum())
        assert torch.equal(network.state_dict()[name], kept[name])
    assert moved > 1000


@pytest.mark.parametrize("at_call", [2, 4, 7, 12])
def test_interrupted_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_call: int
) -> None:
    expected, fitted = run(tmp_path / "whole", AUGMENTED, MODERN)
    monkeypatch.setattr(fit_module(), "_CHECKPOINT_EVERY", -1.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "part", interrupting(AUGMENTED, at_call), MODERN)
    resumed, again = run(tmp_path / "part", AUGMENTED, MODERN)
    assert again == fitted
    assert_same_weights(resumed, expected)
    for name in ("state", "weights"):
        one, other = (
            load_tensors(tmp_path / folder / f"{name}.safetensors")[0]
            for folder in ("whole", "part")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())


def test_without_early_stopping_the_last_weights_are_kept(tmp_path: Path) -> None:
    """Though the loss on validation images worsens; these are seen at each tenth of the way."""
    looks: list[int] = []

    def targets(labels_B: Tensor, _: Assignment) -> Tensor:
        looks.append(len(labels_B))
        return labels_B + 0

    def worsening(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
        losses_B = nn.functional.cross_entropy(logits_BK, labels_B, reduction="none")
        return losses_B + len(looks)

    changes = {"max_epochs": 21, "average": 0.0, "patience": 1}
    job = replace(task(train=cell_set(2), val=cell_set(1, first=7)), targets=targets)
    _, fitted = run(tmp_path, replace(job, losses=worsening), MODERN.model_copy(update=changes))
    assert (fitted.epochs, fitted.best_epoch) == (21, 21)
    assert [count for count in looks if count != 8] == [4] * 7
    _, numbers = load_tensors(tmp_path / "state.safetensors")
    seen = [row["epoch"] for row in numbers["history"] if "val_loss" in row]
    assert seen == [3, 6, 9, 12, 15, 18, 21]


@pytest.mark.parametrize("epochs", [1, 9, 10, 11, 60, 95])
def test_validations_are_counted(epochs: int) -> None:
    config = MODERN.model_copy(update={"max_epochs": epochs})
    looks = [epoch for epoch in range(1, epochs + 1) if validates(config, epoch, epoch == epochs)]
    assert validations(config) == len(looks) <= 11
    assert looks[-1] == epochs
    assert validations(TrainingConfig(max_epochs=epochs)) == epochs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("torchvision/resnet50", 0.0),
        ("timm/convnext_tiny", 0.1),
        ("torchvision/convnext_tiny", 0.1),
        ("timm/vit_small_patch16_224", 0.1),
        ("timm/mobilenetv3_small_100", 0.1),
        ("torchvision/mobilenet_v3_small", 0.0),
    ],
)
def test_networks_of_all_kinds_are_trained_by_it(tmp_path: Path, name: str, depth: float) -> None:
    config = MODERN.model_copy(
        update={"batch_size": 4, "max_epochs": 2, "stochastic_depth": depth, "crop_scale": 0.5}
    )
    side = 224 if "vit" in name else 64
    images = cell_set(1, side=side)
    job = replace(task(train=images, val=images), augmentation=Augmentation.of(config))
    network = build_classifier(BackboneConfig(name=name, weights="random"), 4, 0, depth)
    before = {key: value.clone() for key, value in network.named_parameters()}
    trained, fitted = run(tmp_path, job, config, network=network)
    assert (fitted.steps, math.isfinite(fitted.val_loss)) == (2, True)
    assert all(not torch.equal(p, before[key]) for key, p in trained.named_parameters())


def test_a_network_without_stochastic_depth_is_refused() -> None:
    for name in ("torchvision/resnet50", "timm/vgg11"):
        config = BackboneConfig(name=name, weights="random")
        for build in (
            lambda config=config: build_classifier(config, 4, 0, 0.1),
            lambda config=config: check_backbone(config, 64, 2, 0.1),
        ):
            with pytest.raises(BackboneError, match=r"stochastic_depth = 0\.1: \w+ has none"):
                build()
