"""Branches, the mixtures they make, and what the sweep writes of them, against whole networks."""

import numpy as np
import pytest
import torch
from finished_runs import Run, times
from numpy.typing import NDArray
from torch import Tensor
from trees_by_hand import Opened, distorted, experts_of, mixed, open_run, saved, whole_network

from mixqual.artifacts import read_json
from mixqual.evaluation import CLEAN, CLEAN_CELL, Cell, OutputArray
from mixqual.networks import Gate, backbone_preprocessing
from mixqual.training import load_tensors
from mixqual.tree_plan import Tree
from mixqual.trees import load_control, load_tree, sweep_trees
from mixqual.workbench import load_network

FIRST = ("conv_stem", "bn1", "blocks.0", "blocks.1")
LAST = ("blocks.2", "blocks.3", "blocks.4", "conv_head", "bn2", "classifier")
BRANCHES = {
    "tree_blocks.2": LAST,
    "tree_blocks.2_resolved": LAST,
    "inverted_blocks.2": FIRST,
    "tree_blocks.1_inverted_conv_head_resolved": ("blocks.1", "blocks.2", "blocks.3", "blocks.4"),
}
"""The modules of a branch, by the name of its tree."""

# The sweep's batches are others than here, and sums of float32 in another order differ.
ROUNDING = 1e-5


@pytest.fixture(scope="module")
def opened(tree_run: Run) -> Opened:
    torch.set_num_threads(1)
    return open_run(tree_run.study, tree_run.out)


def test_the_study_has_these_trees(opened: Opened) -> None:
    assert opened.trees.keys() == BRANCHES.keys()


# What is saved of a branch


@pytest.mark.parametrize("name", BRANCHES)
def test_a_saved_branch_has_the_tensors_of_its_stages_alone(opened: Opened, name: str) -> None:
    tree, plan = opened.trees[name], opened.bench.plan
    whole = saved(opened, "network", plan.network_key("clean", 0))
    own = {
        f"branch.{key}": tensor.shape
        for key, tensor in whole.items()
        if key.startswith(tuple(f"backbone.{module}." for module in BRANCHES[name]))
    }
    assert 0 < len(own) < len(whole)
    for branch in tree.branches:
        folder = opened.bench.store.path("branch", tree.branch_key(branch, 0))
        tensors, _ = load_tensors(folder / "weights.safetensors")
        assert {key: tensor.shape for key, tensor in tensors.items()} == own
        state, _ = load_tensors(folder / "state.safetensors")
        assert {key.partition(".")[2] for key in state} == own.keys()


def test_two_kinds_of_branches_make_a_whole(opened: Opened) -> None:
    """What a TreeNet shares is what an Inverted-TreeNet of the same branch point does not."""
    tree, inverted = opened.trees["tree_blocks.2"], opened.trees["inverted_blocks.2"]
    parts = [saved(opened, "branch", each.branch_key("noise", 0)) for each in (tree, inverted)]
    whole = saved(opened, "network", opened.bench.plan.network_key("clean", 0))
    assert parts[0].keys() | parts[1].keys() == {f"branch.{key}" for key in whole}
    assert not parts[0].keys() & parts[1].keys()
    counts = [sum(tensor.numel() for tensor in part.values()) for part in (*parts, whole)]
    assert counts[0] + counts[1] == counts[2]


def test_branches_are_trained(opened: Opened) -> None:
    clean = saved(opened, "network", opened.bench.plan.network_key("clean", 0))
    for tree in opened.trees.values():
        seen = [clean]
        for branch in tree.branches:
            tensors = saved(opened, "branch", tree.branch_key(branch, 0))
            named = {key.removeprefix("branch."): tensor for key, tensor in tensors.items()}
            for other in seen:
                assert not all(torch.equal(named[key], other[key]) for key in named)
            seen.append(named)


# The mixture


@pytest.mark.parametrize("name", BRANCHES)
def test_all_weight_on_the_clean_expert_is_m_clean(opened: Opened, name: str) -> None:
    mixture = load_tree(opened.bench, 4, opened.trees[name], 0)
    m_clean = load_network(opened.bench, 4, "clean", 0)
    images_BCHW = distorted(opened, "test", CLEAN_CELL)
    weights_BE = torch.tensor([1.0, 0.0, 0.0]).expand(len(images_BCHW), -1)
    with torch.inference_mode():
        p_BK = mixture.fuse(mixture.branch_outputs(images_BCHW), weights_BE)
        expected_BK = m_clean(images_BCHW).softmax(1)
    torch.testing.assert_close(p_BK, expected_BK, rtol=0, atol=1e-6)
    assert torch.equal(p_BK.argmax(1), expected_BK.argmax(1))


@pytest.mark.parametrize("name", BRANCHES)
def test_all_weight_on_another_expert_is_its_whole_network(opened: Opened, name: str) -> None:
    mixture = load_tree(opened.bench, 4, opened.trees[name], 0)
    images_BCHW = distorted(opened, "test", CLEAN_CELL)
    weights_BE = torch.tensor([0.0, 0.0, 1.0]).expand(len(images_BCHW), -1)
    with torch.inference_mode():
        p_BK = mixture.fuse(mixture.branch_outputs(images_BCHW), weights_BE)
        expected_BK = whole_network(opened, opened.trees[name], "blur")(images_BCHW).softmax(1)
    torch.testing.assert_close(p_BK, expected_BK, rtol=0, atol=ROUNDING)


# The sweep


def gate_weights(opened: Opened, tree: Tree, images_BCHW: Tensor) -> Tensor:
    gate = Gate(3, backbone_preprocessing(opened.bench.plan.config.backbone)).eval()
    gate.load_state_dict(saved(opened, "gate", tree.gate_key(0)))
    with torch.inference_mode():
        return gate(images_BCHW)


def true_weights(opened: Opened, tree: Tree, cell: Cell) -> Tensor:
    """The row of the cell's level in the file of optimal weights."""
    stage = "weights" if tree.config.weights == "reuse" else "tree-weights"
    folder = opened.bench.store.path(stage, tree.weights_key(0))
    rows = read_json(folder / "weights.json")["weights"]
    if cell.distortion == CLEAN:
        return torch.tensor(rows["gaussian_blur"][0])
    level = opened.bench.plan.levels[cell.distortion].index(cell.level)
    return torch.tensor(rows[cell.distortion][level])


def written(
    opened: Opened, folder: str, columns: int, cell: Cell, split: str = "test"
) -> NDArray[np.float32]:
    path = opened.bench.store.root / folder
    assert path.is_dir()
    return OutputArray(path, len(opened.sets[split]), columns).read(cell)


def share_right(opened: Opened, p_NK: Tensor) -> float:
    return (p_NK.argmax(1) == opened.sets["test"].labels_N).double().mean().item()


def shown(tree_run: Run, model: str, cell: Cell) -> float:
    """The accuracy in the results."""
    accuracies: dict[str, dict[str, float]] = tree_run.results["accuracy"][model]
    if cell.distortion == CLEAN:
        return accuracies["gaussian_noise"]["0"]
    return accuracies[cell.distortion][format(cell.level, "g")]


@pytest.mark.parametrize("name", BRANCHES)
def test_trees_under_the_gate_and_under_true_weights(
    tree_run: Run, opened: Opened, name: str
) -> None:
    tree = opened.trees[name]
    experts = experts_of(opened, tree)
    for cell in opened.bench.plan.test_cells:
        images_BCHW = distorted(opened, "test", cell)
        both_NK = written(opened, tree.outputs_folder("test", 0), 8, cell)
        gate_BE = gate_weights(opened, tree, images_BCHW)
        true_BE = true_weights(opened, tree, cell).expand_as(gate_BE)
        for model, w_BE, p_NK in (
            (name, gate_BE, both_NK[:, :4]),
            (f"{name}_true", true_BE, both_NK[:, 4:]),
        ):
            expected_NK = mixed(experts, tree.sharing.from_, images_BCHW, w_BE)
            np.testing.assert_allclose(p_NK, expected_NK.numpy(), rtol=0, atol=ROUNDING)
            assert shown(tree_run, model, cell) == pytest.approx(
                share_right(opened, expected_NK), abs=1e-6
            )


@pytest.mark.parametrize("name", ["tree_blocks.2", "inverted_blocks.2"])
def test_controls_are_single_networks(tree_run: Run, opened: Opened, name: str) -> None:
    tree = opened.trees[name]
    whole = whole_network(opened, tree, f"all_{name}")
    control = load_control(opened.bench, 4, tree, 0)
    for cell in opened.bench.plan.test_cells:
        images_BCHW = distorted(opened, "test", cell)
        with torch.inference_mode():
            expected_BK = whole(images_BCHW).softmax(1)
            loaded_BK = control(images_BCHW).softmax(1)
        torch.testing.assert_close(loaded_BK, expected_BK, rtol=0, atol=ROUNDING)
        p_NK = written(opened, tree.control_folder("test", 0), 4, cell)
        np.testing.assert_allclose(p_NK, expected_BK.numpy(), rtol=0, atol=ROUNDING)
        assert shown(tree_run, f"all_{name}", cell) == pytest.approx(
            share_right(opened, expected_BK), abs=1e-6
        )


@pytest.mark.parametrize("name", BRANCHES)
def test_validation_images_are_shown_to_trees_under_the_gate_alone(
    opened: Opened, name: str
) -> None:
    tree = opened.trees[name]
    experts = experts_of(opened, tree)
    cells = opened.bench.plan.val_cells
    assert len(cells) == 7  # noise is drawn twice
    for cell in cells:
        images_BCHW = distorted(opened, "val", cell)
        p_NK = written(opened, tree.outputs_folder("val", 0), 4, cell, "val")
        gate_BE = gate_weights(opened, tree, images_BCHW)
        expected_NK = mixed(experts, tree.sharing.from_, images_BCHW, gate_BE)
        np.testing.assert_allclose(p_NK, expected_NK.numpy(), rtol=0, atol=ROUNDING)


def test_a_finished_sweep_is_read_again(tree_run: Run, opened: Opened) -> None:
    """Without the weights, as there is nothing left to mix."""
    trees = list(opened.trees.values())
    said = sweep_trees(opened.bench, opened.sets, "test", trees, {}, 0)
    right = {model: predicted.right_VN() for model, predicted in said.items()}
    validated = sweep_trees(opened.bench, opened.sets, "val", trees, {}, 0)
    controls = ("all_tree_blocks.2", "all_inverted_blocks.2")
    assert validated.keys() == {*BRANCHES, *controls}
    assert times(tree_run.out) == tree_run.times
    assert right.keys() == {
        *BRANCHES,
        *(f"{name}_true" for name in BRANCHES),
        *controls,
    }
    for model, right_VN in right.items():
        for cell, right_N in zip(opened.bench.plan.test_cells, right_VN, strict=True):
            assert shown(tree_run, model, cell) == pytest.approx(right_N.mean(), abs=1e-6)
