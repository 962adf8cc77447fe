"""What a tree should say: whole networks of the backbone's own modules, run one by one.

Nothing here cuts a network: the branches' weights are put among those of M_clean.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mixqual import stages
from mixqual.data import ImageSet
from mixqual.evaluation import Cell, distort_cell
from mixqual.networks import Classifier, build_classifier
from mixqual.runtime import set_up_machine
from mixqual.seeding import derive_seed
from mixqual.study import Study
from mixqual.training import load_tensors
from mixqual.tree_plan import Tree, trees_of
from mixqual.workbench import Workbench


class Opened(NamedTuple):
    """The inside of a run."""

    bench: Workbench
    sets: dict[str, ImageSet]
    trees: dict[str, Tree]
    """By the names of their models."""


def open_run(study: Path, out: Path, *overrides: str) -> Opened:
    """Open the folder of a run, without running anything but the decoding of its images."""
    loaded = Study.load(study, overrides)
    plan, index = loaded.prepare()
    bench = Workbench.open(plan, out, set_up_machine(loaded.config.runtime))
    trees = {tree.name: tree for tree in trees_of(plan)}
    return Opened(bench, stages.prepare_images(bench, index), trees)


def distorted(opened: Opened, split: str, cell: Cell) -> Tensor:
    """All images of a split as the sweep of the first seed shows them to the networks."""
    images_BCHW, _ = opened.sets[split].batch(range(len(opened.sets[split])))
    seed = derive_seed(derive_seed(0, "sweep", split), "draw", cell.draw)
    return distort_cell(images_BCHW, cell, opened.bench.plan.distortions, seed)


def saved(opened: Opened, stage: str, key: str) -> dict[str, Tensor]:
    """The tensors of a trained network, gate or branch."""
    folder = opened.bench.store.path(stage, key)
    return load_tensors(folder / "weights.safetensors")[0]


def whole_network(opened: Opened, tree: Tree, name: str) -> Classifier:
    """M_clean, with the stages of an expert or a control in the place of its own."""
    plan = opened.bench.plan
    assert plan.start is not None
    state = saved(opened, "network", plan.network_key(plan.start, 0))
    if name != plan.start:
        branch = saved(opened, "branch", tree.branch_key(name, 0))
        state |= {key.removeprefix("branch."): tensor for key, tensor in branch.items()}
    network = build_classifier(plan.config.backbone, 4, seed=99).eval()
    network.load_state_dict(state)
    return network


def experts_of(opened: Opened, tree: Tree) -> list[Classifier]:
    """The experts of a tree as whole networks, which end alike where they share stages."""
    return [whole_network(opened, tree, name) for name in opened.bench.plan.config.experts]


def mixed(
    experts: Sequence[Classifier], start: str | None, images_BCHW: Tensor, weights_BE: Tensor
) -> Tensor:
    """Section 4 of the paper: mix probabilities, or what reaches the first shared stage."""
    with torch.inference_mode():
        if start is None:
            p_EBK = torch.stack([network(images_BCHW).softmax(1) for network in experts])
            return sum(weights_BE[:, e, None] * p_EBK[e] for e in range(len(experts)))
        each_EBCHW = [_run(network, images_BCHW, end=start) for network in experts]
        weights_BE111 = weights_BE[:, :, None, None, None]
        mixed_BCHW = sum(weights_BE111[:, e] * each_EBCHW[e] for e in range(len(experts)))
        return _run(experts[0], mixed_BCHW, start=start).softmax(1)


def _run(
    network: Classifier, values: Tensor, start: str | None = None, end: str | None = None
) -> Tensor:
    """Run the modules of test_efficientnet from `start` on, up to but without `end`."""
    backbone = network.backbone
    modules: dict[str, nn.Module] = {
        "conv_stem": backbone.conv_stem,
        "bn1": backbone.bn1,
        **{f"blocks.{index}": block for index, block in enumerate(backbone.blocks)},
        "conv_head": backbone.conv_head,
        "bn2": backbone.bn2,
        "global_pool": backbone.global_pool,
        "classifier": backbone.classifier,
    }
    names = list(modules)
    if start is None:
        values = (values - network.mean) / network.std
    first = names.index(start) if start else 0
    last = names.index(end) if end else len(names)
    for name in names[first:last]:
        values = modules[name](values)
    return values
