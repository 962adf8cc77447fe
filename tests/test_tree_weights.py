"""Optimal weights of a tree's own, against whole networks and another solver."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from finished_runs import Run
from trees_by_hand import Opened, distorted, experts_of, mixed, open_run

from mixqual.artifacts import read_json
from mixqual.errors import StudyError
from mixqual.evaluation import CLEAN, CLEAN_CELL, Cell
from mixqual.fusion import solve
from mixqual.networks import Classifier
from mixqual.stages import OptimalWeights
from mixqual.tree_plan import Tree
from mixqual.tree_weights import resolve_weights

TREE = "tree_blocks.2_resolved"
BOTH = "tree_blocks.1_inverted_conv_head_resolved"


@pytest.fixture(scope="module")
def opened(tree_run: Run) -> Opened:
    torch.set_num_threads(1)
    return open_run(tree_run.study, tree_run.out)


@pytest.fixture
def copied(tmp_path: Path, tree_run: Run) -> Path:
    """A copy of the run, to be spoiled."""
    return shutil.copytree(tree_run.out, tmp_path / "out")


def weights_in(opened: Opened, stage: str, key: str) -> dict[str, list[list[float]]]:
    rows: dict[str, list[list[float]]] = read_json(
        opened.bench.store.path(stage, key) / "weights.json"
    )["weights"]
    return rows


def resolved(opened: Opened, tree: Tree) -> dict[str, list[list[float]]]:
    return weights_in(opened, "tree-weights", tree.weights_key(0))


def reused(opened: Opened) -> dict[str, list[list[float]]]:
    return weights_in(opened, "weights", opened.bench.plan.weights_key(0))


def equal_weights(opened: Opened) -> OptimalWeights:
    """Known without any network."""
    levels = opened.bench.plan.levels
    rows = {name: np.full((len(each), 3), 1 / 3) for name, each in levels.items()}
    return OptimalWeights(levels, rows, 0.0)


def levels_of(opened: Opened) -> list[tuple[str, int, list[Cell]]]:
    """Distortion, row of its weights, and validation cells of every level."""
    cells = opened.bench.plan.val_cells
    found = [("gaussian_noise", 0, [CLEAN_CELL]), ("gaussian_blur", 0, [CLEAN_CELL])]
    for name, levels in opened.bench.plan.levels.items():
        for row, level in enumerate(levels[1:], start=1):
            draws = [cell for cell in cells if (cell.distortion, cell.level) == (name, level)]
            assert len(draws) == (2 if name == "gaussian_noise" else 1)
            found.append((name, row, draws))
    return found


def loss(
    opened: Opened, experts: list[Classifier], tree: Tree, cells: list[Cell], weights: list[float]
) -> float:
    """The mean cross-entropy of the mixture on the validation images of some cells."""
    labels_N = opened.sets["val"].labels_N
    w_BE = torch.tensor(weights).expand(len(labels_N), -1)
    losses = []
    for cell in cells:
        p_BK = mixed(experts, tree.sharing.from_, distorted(opened, "val", cell), w_BE)
        losses.append(torch.nn.functional.nll_loss(p_BK.double().log(), labels_N).item())
    return float(np.mean(losses))


@pytest.mark.parametrize("name", [TREE, BOTH])
def test_weights_are_on_the_simplex(opened: Opened, name: str) -> None:
    rows = resolved(opened, opened.trees[name])
    assert list(rows) == ["gaussian_noise", "gaussian_blur"]
    for levels in rows.values():
        assert np.shape(levels) == (3, 3)
        assert np.min(levels) >= 0
        np.testing.assert_allclose(np.sum(levels, axis=1), 1, rtol=0, atol=1e-9)
    assert rows["gaussian_noise"][0] == rows["gaussian_blur"][0]  # clean images are the same


@pytest.mark.parametrize("name", [TREE, BOTH])
def test_no_level_is_worse_than_with_the_experts_weights(opened: Opened, name: str) -> None:
    """Nor than with any single branch, or with all of them alike."""
    tree = opened.trees[name]
    experts, own, old = experts_of(opened, tree), resolved(opened, tree), reused(opened)
    gained = 0.0
    for distortion, row, cells in levels_of(opened):
        found = loss(opened, experts, tree, cells, own[distortion][row])
        others = [old[distortion][row], [1 / 3] * 3, *np.eye(3).tolist()]
        losses = [loss(opened, experts, tree, cells, weights) for weights in others]
        assert found <= min(losses) + 1e-5  # float32 sums in another order
        gained = max(gained, losses[0] - found)
    assert gained > 1e-3, "weights that are the same would pass as well"


def test_a_treenet_has_the_weights_of_the_convex_problem(opened: Opened) -> None:
    tree = opened.trees[TREE]
    experts, own = experts_of(opened, tree), resolved(opened, tree)
    labels_N = opened.sets["val"].labels_N
    for distortion, row, cells in levels_of(opened):
        chances = []
        for cell in cells:
            images_BCHW = distorted(opened, "val", cell)
            with torch.inference_mode():
                p_EBK = torch.stack([network(images_BCHW).softmax(1) for network in experts])
            chances.append(p_EBK[:, torch.arange(len(labels_N)), labels_N].T.double())
        expected_E = solve(torch.cat(chances).numpy()).weights
        # The optimum is flat: probabilities that differ by rounding move it by its root.
        np.testing.assert_allclose(own[distortion][row], expected_E, rtol=0, atol=2e-3)


def test_results_show_them_in_six_digits(tree_run: Run, opened: Opened) -> None:
    for row in tree_run.results["trees"]:
        assert ("resolved" in row) == (row["weights"] == "resolve")
    shown = {row["model"]: row.get("resolved") for row in tree_run.results["trees"]}
    for name in (TREE, BOTH):
        for distortion, rows in resolved(opened, opened.trees[name]).items():
            levels = [list(weights.values()) for weights in shown[name][distortion].values()]
            np.testing.assert_allclose(levels, rows, rtol=0, atol=0.51e-6)


# Too much for memory, and interrupted


def test_features_that_do_not_fit_are_refused(tree_run: Run, copied: Path) -> None:
    """100 draws of 16 images with 3 x 64 features: 1.17 MiB a level of noise."""
    opened = open_run(
        tree_run.study, copied, "evaluation.noise_draws=100", "data.memory_budget_mb=1"
    )
    message = (
        r'^sharing\.weights = "resolve": the features of one level take 1 MiB, more than '
        r"data\.memory_budget_mb = 1; raise it, lower evaluation\.noise_draws, or share from a "
        r"later stage$"
    )
    tree = opened.trees[BOTH]
    with pytest.raises(StudyError, match=message):
        resolve_weights(opened.bench, opened.sets, tree, equal_weights(opened), 0)
    # The clean images had fitted, and what they gave is kept.
    folder = opened.bench.store.path("tree-weights", tree.weights_key(0))
    kept = [path.name for path in folder.with_name(f"{folder.name}.partial").iterdir()]
    assert kept == [f"{CLEAN}_0.json"]


@pytest.mark.parametrize("name", [TREE, BOTH])
def test_an_interrupted_search_keeps_its_finished_levels(
    tree_run: Run, opened: Opened, copied: Path, name: str
) -> None:
    """One of the kept levels is given weights that no search would find."""
    expected = resolved(opened, opened.trees[name])
    again = open_run(tree_run.study, copied)
    tree = again.trees[name]
    folder = again.bench.store.path("tree-weights", tree.weights_key(0))
    partial = folder.rename(folder.with_name(f"{folder.name}.partial"))
    (partial / "weights.json").unlink()
    (partial / "gaussian_noise_100.json").unlink()
    (partial / "gaussian_noise_50.json").write_text(json.dumps([0.125, 0.25, 0.625]))
    start = OptimalWeights(
        again.bench.plan.levels, {key: np.array(rows) for key, rows in reused(again).items()}, 0.0
    )
    found = resolve_weights(again.bench, again.sets, tree, start, 0)
    assert not partial.exists()
    noise_VE = found.weights_VE["gaussian_noise"]
    assert noise_VE[1].tolist() == [0.125, 0.25, 0.625]
    assert noise_VE[[0, 2]].tolist() == [expected["gaussian_noise"][row] for row in (0, 2)]
    assert found.weights_VE["gaussian_blur"].tolist() == expected["gaussian_blur"]
