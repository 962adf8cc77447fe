"""What `results.json` says of trees, from weights and gates made up for two seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_elpv import with_trees, write_study

from mixqual.evaluation import CLEAN_CELL, Cell, Predicted
from mixqual.plan import Plan
from mixqual.stages import OptimalWeights
from mixqual.study_file import load_study_config
from mixqual.tree_plan import Tree, trees_of
from mixqual.tree_results import Shared, tree_rows

TREES = """
[[sharing]]
until = "conv4_1"

[[sharing]]
until = "conv2_1"
from = "fc6"
weights = "resolve"
control = false
"""
OWN = "tree_conv2_1_inverted_fc6_resolved"


@pytest.fixture
def trees(tmp_path: Path) -> list[Tree]:
    study = write_study(tmp_path / "tiny.toml", tmp_path / "none", with_trees(TREES))
    return trees_of(Plan(load_study_config(study), "f00d"))


def shared(tree: Tree, noise_VE: list[list[float]], gate: dict[str, Any]) -> Shared:
    """One seed: the same weights for all levels of blur."""
    weights = OptimalWeights(
        tree.plan.levels,
        {
            "gaussian_noise": np.array(noise_VE),
            "gaussian_blur": np.array([[0.5, 0.25, 0.25]] * 3),
        },
        0.0,
    )
    others = OptimalWeights(tree.plan.levels, {"gaussian_noise": np.zeros((3, 3))}, 0.0)
    return Shared({}, {"tree_conv4_1": others, OWN: weights}, {OWN: gate}, {}, {})


def test_rows_by_hand(trees: list[Tree]) -> None:
    gates = [
        {"val_loss": 0.25, "constant_loss": 0.5, "beats_constant": True},
        {"val_loss": 0.75, "constant_loss": 0.5, "beats_constant": False},
    ]
    by_seed = {
        3: shared(trees[1], [[1, 0, 0], [0, 1, 0], [0, 0, 1]], gates[0]),
        8: shared(trees[1], [[0, 1, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3]], gates[1]),
    }
    first, second = tree_rows(trees, by_seed)
    assert first == {
        "model": "tree_conv4_1",
        "kind": "treenet",
        "until": "conv4_1",
        "from": None,
        "control": "all_tree_conv4_1",
        "ceiling": "tree_conv4_1_true",
        "weights": "reuse",
    }
    resolved = second.pop("resolved")
    assert second == {
        "model": OWN,
        "kind": "both",
        "until": "conv2_1",
        "from": "fc6",
        "control": None,
        "ceiling": f"{OWN}_true",
        "weights": "resolve",
        "gate": [{"seed": 3, **gates[0]}, {"seed": 8, **gates[1]}],
    }
    experts = ("clean", "noise", "blur")
    assert resolved["gaussian_noise"] == {
        "0": dict(zip(experts, (0.5, 0.5, 0), strict=True)),
        "50": dict(zip(experts, (0, 1, 0), strict=True)),
        "100": dict(zip(experts, (0.166667, 0.166667, 0.666667), strict=True)),
    }
    assert list(resolved["gaussian_blur"]) == ["0", "0.714286", "1.42857"]
    for weights in resolved["gaussian_blur"].values():
        assert weights == {"clean": 0.5, "noise": 0.25, "blur": 0.25}


def test_without_trees_there_are_no_rows() -> None:
    assert tree_rows([], {0: Shared({}, {}, {}, {}, {})}) == []


def test_scores_are_those_of_the_test_images() -> None:
    cells, truth = [CLEAN_CELL, Cell("gaussian_blur", 2.0)], np.array([0, 1, 1])
    answers = {
        "tree": ([0, 1, 0], [0, 0, 1]),
        "tree_true": ([1, 1, 1], [0, 1, 1]),
    }
    tested = {
        model: Predicted(
            cells, truth, 2, lambda cell, part, rows=rows: np.eye(2)[rows[cells.index(cell)]][part]
        )
        for model, rows in answers.items()
    }
    right = Shared({}, {}, {}, tested, {}).right
    assert right["tree"].tolist() == [[True, True, False], [True, False, True]]
    assert right["tree_true"].tolist() == [[False, True, True], [True, True, True]]
