"""Trees against their bounds: training with frozen stages, inference with shared ones."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, compare
from mixqual.bench.training_task import training_task
from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.evaluation import count, count_parts
from mixqual.networks import (
    BranchedClassifier,
    Classifier,
    Gate,
    Mixture,
    Sharing,
    Stages,
    backbone_preprocessing,
    build_classifier,
)
from mixqual.runtime import place
from mixqual.training import fit

_CPU = torch.device("cpu")
_SIDE, _BATCH, _STEPS, _EXPERTS, _CLASSES = 224, 32, 12, 3, 4
_TRAINED = ("timm/tf_efficientnet_lite0", Sharing(until="blocks.3"))
_RUN = (
    ("timm/tf_efficientnet_lite0", Sharing(until="blocks.3")),
    ("timm/tf_efficientnet_lite0", Sharing(from_="blocks.5")),
    ("torchvision/resnet50", Sharing(until="layer3")),
    ("torchvision/resnet50", Sharing(from_="layer3")),
)


def measure() -> list[Ratio]:
    """A training step against its floor; mixtures against their parts and against their MACs."""
    found = [_training(*_TRAINED)]
    for backbone, sharing in _RUN:
        found += _inference(backbone, sharing)
    return found


def _training(backbone: str, sharing: Sharing) -> Ratio:
    """`fit` over some steps, loading and validation included, against the arithmetic alone."""
    config = TrainingConfig(batch_size=_BATCH, max_epochs=1)
    images = noise_images(_BATCH * _STEPS, _SIDE)
    parts = Stages(_network(backbone), backbone).divide(sharing)
    network = place(BranchedClassifier(parts), _CPU)
    task = training_task(images, noise_images(1, _SIDE), {}, {})
    accelerator = Accelerator(cpu=True)
    ready_BCHW, labels_B = images.batch(range(_BATCH))
    with torch.no_grad():
        features = parts.prefix(ready_BCHW)

    def fitted() -> None:
        with tempfile.TemporaryDirectory() as folder:
            new = network.new_parameters()
            fit(network, new, task, config, accelerator, Path(folder))

    def floor() -> None:
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), lr=config.lr, momentum=config.momentum)
        for _ in range(_STEPS):
            with torch.no_grad():
                parts.prefix(ready_BCHW)
            outputs = parts.branch(features)
            logits_BK = outputs if parts.suffix is None else parts.suffix(outputs)
            loss = nn.functional.cross_entropy(logits_BK, labels_B)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return compare(
        f"training of {sharing.name}",
        fitted,
        "floor: forward of the frozen stages, forward, backward and update of the rest",
        floor,
        settings=f"{_settings(backbone)}, {_STEPS} steps, one validation image, checkpoints",
        repetitions=5,
    )


def _inference(backbone: str, sharing: Sharing) -> list[Ratio]:
    single = _network(backbone)
    parts = Stages(single, backbone).divide(sharing)
    preprocessing = backbone_preprocessing(BackboneConfig(name=backbone, weights="random"))
    gate = Gate(_EXPERTS, preprocessing)
    mixture = place(Mixture.shared(parts, [None] * _EXPERTS, gate), _CPU).eval()
    images_BCHW, _ = noise_images(_BATCH, _SIDE).batch(range(_BATCH))
    with torch.inference_mode():
        features = parts.prefix(images_BCHW)
        outputs = parts.branch(features)

    def mixed() -> None:
        with torch.inference_mode():
            mixture(images_BCHW)

    def alone() -> None:
        with torch.inference_mode():
            single(images_BCHW)

    def in_parts() -> None:
        with torch.inference_mode():
            gate(images_BCHW)
            parts.prefix(images_BCHW)
            for _ in range(_EXPERTS):
                parts.branch(features)
            if parts.suffix is not None:
                parts.suffix(outputs)

    what, settings = f"{sharing.name} of {backbone}", _settings(backbone)
    against_single = compare(what, mixed, "one network", alone, settings=settings)
    # The branches are one module here, and count as often as they run.
    whole = count(single, _SIDE).macs
    predicted = count(mixture, _SIDE).macs / whole
    found = [
        against_single,
        replace(
            against_single,
            against=f"the ratio of MACs to one network, {predicted:.3f}",
            ratio=against_single.ratio / predicted,
            low=against_single.low / predicted,
            high=against_single.high / predicted,
        ),
        compare(what, mixed, "floor: its parts on ready tensors", in_parts, settings=settings),
    ]
    # Where the time goes: what each part takes of one network, beside its share of the MACs.
    before, own, after = count_parts(
        [parts.prefix, parts.branch, parts.suffix or nn.Identity()], _SIDE
    )
    shares: list[tuple[str, nn.Module | None, Tensor, int]] = [
        ("stages before the branch", parts.prefix, images_BCHW, before.macs),
        ("one branch", parts.branch, features, own.macs),
        ("stages after the branch", parts.suffix, outputs, after.macs),
        ("gate", gate, images_BCHW, count(gate, _SIDE).macs),
    ]
    for part, module, ready, macs in shares:
        if module is None or not macs:
            continue
        against = f"one network, of whose MACs it has {macs / whole:.3f}"
        run = partial(_forward, module, ready)
        found.append(
            compare(f"{what}: {part}", run, against, alone, settings=settings, repetitions=5)
        )
    return found


def _forward(module: nn.Module, ready: Tensor) -> None:
    with torch.inference_mode():
        module(ready)


def _network(backbone: str) -> Classifier:
    config = BackboneConfig(name=backbone, weights="random")
    return place(build_classifier(config, _CLASSES, 0), _CPU).eval()


def _settings(backbone: str) -> str:
    return (
        f"{backbone} at {_SIDE} pixels, batch {_BATCH}, {_EXPERTS} experts, "
        f"{torch.get_num_threads()} threads"
    )
