"""The stages of a study that make trees (paper, Section 4): branches, their mixture, its sweep."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixqual import stages
from mixqual.data import ImageSet
from mixqual.evaluation import Cell, OutputArray, Predicted, Predictor, sweep
from mixqual.networks import BranchedClassifier, Classifier, FirstStages, Mixture, Parts, Stages
from mixqual.runtime import place
from mixqual.seeding import derive_seed
from mixqual.stages import OptimalWeights
from mixqual.training import Fitted, fit, load_tensors
from mixqual.tree_plan import Tree
from mixqual.workbench import (
    Workbench,
    fitted,
    load_best,
    load_gate,
    load_network,
    network_folder,
    untrained_network,
)


def train_branch(
    bench: Workbench, sets: Mapping[str, ImageSet], tree: Tree, name: str, seed: int
) -> Fitted:
    """Train the stages of one expert, or of the control, between the frozen ones of M_clean."""

    def train(directory: Path) -> None:
        network = BranchedClassifier(_clean_parts(bench, len(sets["train"].classes), tree, seed))
        title = f"{name} of {tree.sharing.name}" if name != tree.control else name
        fit(
            network,
            network.new_parameters(),
            stages.classification_task(bench, sets, title, tree.twin(name), tree.training, seed),
            tree.training,
            bench.accelerator,
            directory,
        )

    return fitted(bench.build_together("branch", tree.branch_key(name, seed), train))


def load_tree(
    bench: Workbench, classes: int, tree: Tree, seed: int, gate: nn.Module | None = None
) -> Mixture:
    """The mixture of the trained branches, ready to predict: under its own gate, or another."""
    branches = [
        None if name == bench.plan.start else _branch_weights(bench, tree, name, seed)
        for name in bench.plan.config.experts
    ]
    gate = gate or load_gate(bench, tree.gate_key(seed), seed)
    mixture = Mixture.shared(_clean_parts(bench, classes, tree, seed), branches, gate)
    return place(mixture, bench.machine.device).eval()


def load_control(bench: Workbench, classes: int, tree: Tree, seed: int) -> BranchedClassifier:
    """The single network trained on all distortions with the tree's shared stages frozen."""
    network = BranchedClassifier(_clean_parts(bench, classes, tree, seed))
    load_best(network, bench.made("branch", tree.branch_key(str(tree.control), seed)))
    return place(network, bench.machine.device).eval()


def sweep_trees(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    split: str,
    trees: Sequence[Tree],
    weights: Mapping[str, OptimalWeights],
    seed: int,
) -> dict[str, Predicted]:
    """What each tree and its control say of a split in every cell, of test images its ceiling too.

    `weights` are the optimal weights by the name of a tree, for the ceilings. The first stages of
    M_clean, with which trees and controls begin, run once for each batch.
    """
    images, cells = sets[split], bench.plan.cells(split)
    if bench.accelerator.is_main_process:
        fill_tree_cells(bench, sets, split, trees, weights, seed, cells)
    bench.accelerator.wait_for_everyone()
    labels_N, classes = images.labels_N.numpy(), len(images.classes)
    return {
        model: Predicted(
            cells, labels_N, classes, partial(_columns, array, classes * place, classes)
        )
        for models, array in _open_outputs(bench, images, split, trees, seed, cells).items()
        for place, model in enumerate(models)
    }


def fill_tree_cells(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    split: str,
    trees: Sequence[Tree],
    weights: Mapping[str, OptimalWeights],
    seed: int,
    cells: Sequence[Cell],
) -> None:
    """Predict a split in some of its cells; other processes may do so in other cells meanwhile."""
    plan, images = bench.plan, sets[split]
    classes = len(images.classes)
    arrays = _open_outputs(bench, images, split, trees, seed, cells)
    lacking = {models[0]: array for models, array in arrays.items() if not array.is_full(cells)}
    for array in lacking.values():
        with bench.only_maker(array.path.name):
            array.note_maker(bench.store.maker)
    predictors: dict[str, Predictor] = {}
    waiting = [tree for tree in trees if {tree.name, tree.control} & lacking.keys()]
    prefixes = _common_prefixes(bench, classes, waiting, seed)
    for tree in waiting:
        prefix = prefixes.get(tree.sharing.until)
        if tree.name in lacking:
            mixture = load_tree(bench, classes, tree, seed)
            mixture.prefix = prefix or mixture.prefix
            twice = (tree.name, tree.ceiling) in arrays
            predictors[tree.name] = (
                _mixed_twice(mixture, weights[tree.name]) if twice else _mixed(mixture)
            )
        if tree.control in lacking:
            control = load_control(bench, classes, tree, seed)
            predictors[tree.control] = _alone(control.after(prefix) if prefix else control)
    sweep(
        predictors,
        lacking,
        images,
        cells,
        plan.distortions,
        seed=derive_seed(seed, "sweep", split),
        batch_size=plan.config.evaluation.batch_size,
        device=bench.machine.device,
        title=f"sweep of {split} by trees (seed {seed})",
    )
    for array in arrays.values():
        bench.publish_cells(array, cells)


def _open_outputs(
    bench: Workbench,
    images: ImageSet,
    split: str,
    trees: Sequence[Tree],
    seed: int,
    cells: Sequence[Cell],
) -> dict[tuple[str, ...], OutputArray]:
    """The arrays by the models that stand side by side in them, with room for all cells.

    What the mirror has of `cells` is in them.
    """
    swept = {models: folder for tree in trees for folder, models in tree.swept(split, seed).items()}
    arrays = {}
    for models, folder in swept.items():
        with bench.only_maker(folder):
            outputs = len(models) * len(images.classes)
            arrays[models] = bench.open_outputs(folder, len(images), outputs)
            arrays[models].add_cells(bench.plan.cells(split))
            bench.fetch_cells(arrays[models], cells)
    return arrays


def _columns(
    array: OutputArray, first: int, count: int, cell: Cell, images: slice
) -> NDArray[np.float32]:
    return array.read(cell, images)[:, first : first + count]


def _clean_parts(bench: Workbench, classes: int, tree: Tree, seed: int) -> Parts:
    clean: Classifier = untrained_network(bench, classes)
    load_best(clean, network_folder(bench, str(bench.plan.start), seed))
    return Stages(clean, bench.plan.config.backbone.name).divide(tree.sharing)


def _common_prefixes(
    bench: Workbench, classes: int, trees: Sequence[Tree], seed: int
) -> dict[str | None, nn.Module]:
    """By branch point, the first stages of M_clean, which do together what they have in common."""
    untils = {tree.sharing.until for tree in trees if tree.sharing.until}
    if not untils:
        return {}
    clean = load_network(bench, classes, str(bench.plan.start), seed)
    first = FirstStages(Stages(clean, bench.plan.config.backbone.name), untils)
    return {until: first.until(until) for until in untils}


def _branch_weights(bench: Workbench, tree: Tree, name: str, seed: int) -> dict[str, Tensor]:
    folder = bench.made("branch", tree.branch_key(name, seed))
    tensors, _ = load_tensors(folder / "weights.safetensors")
    return {key.removeprefix("branch."): tensor for key, tensor in tensors.items()}


def _mixed(mixture: Mixture) -> Predictor:
    return lambda images_BCHW, _: mixture(images_BCHW)[0]


def _mixed_twice(mixture: Mixture, weights: OptimalWeights) -> Predictor:
    """The mixture under its gate, and beside it under the true weights of the cell."""

    def predict(images_BCHW: Tensor, cell: Cell) -> Tensor:
        outputs_EB = mixture.branch_outputs(images_BCHW)
        gate_BE = mixture.gate(images_BCHW)
        true_BE = torch.from_numpy(weights.of(cell)).to(gate_BE).expand_as(gate_BE)
        return torch.cat([mixture.fuse(outputs_EB, w_BE) for w_BE in (gate_BE, true_BE)], dim=1)

    return predict


def _alone(network: BranchedClassifier) -> Predictor:
    return lambda images_BCHW, _: network(images_BCHW).softmax(1)
