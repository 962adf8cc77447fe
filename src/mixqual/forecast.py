"""What a run would do, and what it would cost, before it does any of it (`--dry-run`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from mixqual.artifacts import ArtifactStore
from mixqual.data import DecodedImages, ImageIndex, make_splits
from mixqual.evaluation import Cell, OutputArray, count
from mixqual.networks import Gate, backbone_preprocessing, build_classifier
from mixqual.plan import Plan


@final
@dataclass(frozen=True)
class Step:
    """One stage of a run."""

    stage: str
    state: str
    """"done", "begun" or "to do"."""
    images: int
    """Images through a network: at most, for training, which may stop early."""
    macs: int
    """Multiply-accumulates; a training step counts three forward passes."""


def forecast(plan: Plan, index: ImageIndex, out: Path) -> list[Step]:
    """The stages of a run into `out`, in order, with their state and cost.

    Counts assume that every image can be read.
    """
    config, store = plan.config, ArtifactStore(out / "artifacts")
    sizes = _split_sizes(plan, index)
    backbone = config.backbone.model_copy(update={"weights": "random"})
    network = build_classifier(backbone, len(index.classes), 0)
    gate = Gate(len(config.experts), backbone_preprocessing(config.backbone))
    network_macs = count(network, config.data.size).macs
    gate_macs = count(gate, config.data.size).macs

    def state(stage: str, key: str) -> str:
        path = store.path(stage, key)
        partial = path.with_name(path.name + ".partial")
        return "done" if path.is_dir() else "begun" if partial.is_dir() else "to do"

    def training(stage: str, key: str, title: str, epochs: int, batch: int, macs: int) -> Step:
        trained = epochs * (sizes["train"] // batch) * batch
        validated = epochs * sizes["val"]
        cost = (3 * trained + validated) * macs
        return Step(title, state(stage, key), trained + validated, cost)

    def sweep(split: str, names: list[str], cells: Sequence[Cell], seed: int) -> Step:
        done, macs = 0, 0
        for name in names:
            path = store.root / plan.outputs_folder(name, split, seed)
            outputs = len(config.experts) if name == "gate" else len(index.classes)
            if path.exists():
                done += OutputArray(path, sizes[split], outputs).is_full(cells)
            macs += sizes[split] * len(cells) * (gate_macs if name == "gate" else network_macs)
        state = "done" if done == len(names) else "begun" if done else "to do"
        images = sizes[split] * len(cells) * len(names)
        return Step(f"sweep of {split} (seed {seed})", state, images, macs)

    steps = [Step("decode images", state("images", plan.images_key), 0, 0)]
    for seed in config.seeds:
        for name in plan.networks:
            settings = config.training
            baseline = config.baselines.get(name)
            epochs = settings.max_epochs
            if baseline and baseline.continues:  # from where the other one stopped
                epochs *= len(config.experts) - 1
            key = plan.network_key(name, seed)
            title = f"train {name} (seed {seed})"
            steps.append(training("network", key, title, epochs, settings.batch_size, network_macs))
        steps.append(sweep("val", list(config.experts), plan.val_cells, seed))
        title = f"train gate (seed {seed})"
        key, settings = plan.gate_key(seed), config.gate
        steps.append(
            training("gate", key, title, settings.max_epochs, settings.batch_size, gate_macs)
        )
        steps.append(sweep("test", [*plan.networks, "gate"], plan.test_cells, seed))
    return steps


def _split_sizes(plan: Plan, index: ImageIndex) -> dict[str, int]:
    undecoded = DecodedImages(
        pixels_NHWC=np.empty((len(index.items), 0, 0, 1), dtype=np.uint8),
        labels_N=np.array([item.label for item in index.items], dtype=np.int64),
        ids=tuple(item.id for item in index.items),
        splits=tuple(item.split for item in index.items),
        classes=index.classes,
        left_out=index.left_out,
        credit=index.credit,
    )
    return {name: len(part) for name, part in make_splits(undecoded, plan.config.split).items()}
