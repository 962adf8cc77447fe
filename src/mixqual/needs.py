"""What a run takes of memory and disk at most, told before it begins (see docs/scale.md)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from mixqual.evaluation import BLOCK, HELD_BYTES, PART_BYTES
from mixqual.plan import Plan
from mixqual.tree_plan import trees_of

_LIBRARIES = 5 * 2**28
"""Bytes of a process that has imported all, trains next to nothing and draws its report."""
_BLOCK_FILES = 4 * 4096
"""Bytes on disk that a block of outputs takes beside its numbers: files and folders."""
_REPORT = 20 * 2**20
_REAL = 4
"""Bytes of a number, in weights and outputs."""


@final
@dataclass(frozen=True)
class NetworkSize:
    """What one network takes, in bytes."""

    weights: int
    kept: int
    """For each image of a batch in training, until its gradients are known."""


@final
@dataclass(frozen=True)
class Needs:
    """Bytes at most, as far as can be told before."""

    memory: Mapping[str, int]
    """Of "training", "sweeps" and "statistics", each with all that is held beside them. Training
    and sweeps take theirs on the device, but for the libraries and the images."""
    disk: int
    """Of the run's folder, without compression."""


def needs(
    plan: Plan,
    sizes: Mapping[str, int],
    classes: int,
    network: NetworkSize,
    gate: NetworkSize,
) -> Needs:
    """`sizes` are the images of each split, `gate` is the gate's size."""
    config, seeds = plan.config, len(plan.config.seeds)
    experts, networks, trees = len(config.experts), len(plan.networks), trees_of(plan)
    decoded = sum(sizes.values()) * 3 * config.data.size**2
    held = _LIBRARIES + min(decoded, config.data.memory_budget_mb * 2**20)

    trainings = [config.training_of(name) for name in plan.networks] + [
        tree.training for tree in trees
    ]
    copies = max(4 + (t.optimizer == "adamw") + (t.average > 0) for t in trainings)
    training = copies * network.weights + network.kept * max(t.batch_size for t in trainings)

    arrays = _arrays(plan, classes)
    blocks = [2 * _REAL * min(sizes[split], BLOCK) * sum(of) for split, of in arrays.items()]
    together = (
        networks * network.weights + gate.weights + network.kept * config.evaluation.batch_size
    )

    widest = max(width for widths in arrays.values() for width in widths)
    images = max(sizes["val"], sizes["test"])
    part = min(max(PART_BYTES, _REAL * widest * BLOCK), _REAL * widest * images)  # a block at once
    cells = {split: len(plan.cells(split)) for split in ("val", "test")}
    logarithms = 2 * _REAL * classes * sizes["val"] * cells["val"]
    models = networks + 6 + 3 * len(trees)
    of_images = sum(
        sizes[split] * (config.evaluation.bootstrap + 10 * models * seeds * cells[split])
        for split in cells
    )
    statistics = (2 * experts + networks + 10) * part + min(HELD_BYTES, logarithms)
    statistics += of_images + 2 * PART_BYTES

    outputs = 0
    for split, widths in arrays.items():
        files = _BLOCK_FILES * math.ceil(sizes[split] / BLOCK)
        outputs += cells[split] * sum(_REAL * sizes[split] * width + files for width in widths)
    branches = sum(len(tree.branches) for tree in trees)
    gates = 1 + len(plan.without_each) + sum(tree.config.weights == "resolve" for tree in trees)
    trained = (networks + branches) * network.weights + gates * gate.weights
    return Needs(
        {
            "training": held + training,
            "sweeps": held + together + max(blocks),
            "statistics": held + statistics,
        },
        decoded + seeds * (trained + outputs) + copies * network.weights + _REPORT,
    )


def _arrays(plan: Plan, classes: int) -> dict[str, list[int]]:
    """The columns of each array that a seed's sweeps of a split fill."""
    experts = len(plan.config.experts)
    widths = {split: [*[classes] * len(plan.networks), experts] for split in ("val", "test")}
    for split, of in widths.items():
        swept = (tree.swept(split, 0).items() for tree in trees_of(plan))
        folders = {folder: models for items in swept for folder, models in items}
        of += [len(models) * classes for models in folders.values()]
    widths["test"] += [len(part.config.experts) for part in plan.without_each.values()]
    return widths
