"""Thresholds of conditional inference, from outputs made up at random."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.evaluation import Bootstrap, Cell, Cube, OutputArray, grid_cells
from mixqual.evaluation.areas import Scored, accuracy_tables
from mixqual.fusion import score
from mixqual.results.names import AVERAGE
from mixqual.thresholds import TAUS, Swept, cell_weights, choose, conditional_rows, swept

EXPERTS = ["clean", "noise", "blur"]
LEVELS = {"gaussian_noise": (0.0, 50.0, 100.0), "gaussian_blur": (0.0, 1.0, 2.0, 3.0)}
HELD_OUT = {"fog": (0.0, 0.5)}
COST = {
    "avg": {"macs": 3000, "experts_run": 3},
    "mix": {"macs": 3400, "experts_run": 3},
}


def cube_of(root: Path, cells: list[Cell], images: int = 40, seed: int = 0) -> Cube:
    """Random answers and weights, the same for a seed whatever the order of the cells."""
    generator = np.random.default_rng(seed)
    labels_N = generator.integers(0, 4, images)
    arrays = {}
    for name in (*EXPERTS, "gate"):
        columns = 3 if name == "gate" else 4
        arrays[name] = OutputArray(root / f"{name}-{seed}.zarr", images, columns)
        arrays[name].add_cells(cells)
        for cell in cells:
            values = generator.dirichlet(np.full(columns, 0.5), size=images)
            arrays[name].write(cell, 0, values.astype(np.float32))
    return Cube(arrays, cells, labels_N)


@pytest.mark.parametrize("part_bytes", [1, 16 * 7])
def test_the_parts_of_the_images_change_nothing(tmp_path: Path, part_bytes: int) -> None:
    cube = cube_of(tmp_path, grid_cells(LEVELS, {}))
    whole = swept(cube, EXPERTS, LEVELS)
    parts = swept(replace(cube, part_bytes=part_bytes), EXPERTS, LEVELS)
    np.testing.assert_array_equal(parts.right_TN, whole.right_TN)
    np.testing.assert_array_equal(parts.experts_T, whole.experts_T)


@pytest.mark.parametrize("draws", [{}, {"gaussian_noise": 4}])
def test_weights_of_cells_give_the_mean_area_under_the_curves(draws: dict[str, int]) -> None:
    """Against NumPy's trapezoids, of accuracies that are means over draws."""
    cells = grid_cells(LEVELS | HELD_OUT, draws)
    accuracy_V = np.random.default_rng(1).random(len(cells))
    areas = []
    for name, grid in LEVELS.items():
        means = [accuracy_V[0]]
        for level in grid[1:]:
            rows = [r for r, c in enumerate(cells) if (c.distortion, c.level) == (name, level)]
            assert len(rows) == draws.get(name, 1)
            means.append(accuracy_V[rows].mean())
        areas.append(np.trapezoid(means, grid) / grid[-1])
    weights_V = cell_weights(cells, LEVELS)
    assert weights_V @ accuracy_V == pytest.approx(np.mean(areas))
    assert weights_V.sum() == pytest.approx(1)
    assert (weights_V[[cell.distortion == "fog" for cell in cells]] == 0).all()


def test_ends_are_the_mixture_and_its_favourite(tmp_path: Path) -> None:
    """The areas of M_mix and M_hardmix are those that the report has from other code."""
    cells = grid_cells(LEVELS | HELD_OUT, {})
    cube = cube_of(tmp_path, cells)
    even = dict.fromkeys(cells, np.full(3, 1 / 3))
    right = score(cube, EXPERTS, [], even).right
    scored = Scored(cells, LEVELS | HELD_OUT, {0: right}, list(HELD_OUT))
    areas = accuracy_tables(scored, Bootstrap.draw(40, 100, seed=1))["auc"]
    found = swept(cube, EXPERTS, LEVELS)
    assert found.areas_T[0] == pytest.approx(areas["mix"][AVERAGE]["auc"], abs=1e-6)
    assert found.areas_T[-1] == pytest.approx(areas["hardmix"][AVERAGE]["auc"], abs=1e-6)
    assert areas["mix"] != areas["hardmix"]
    assert found.experts_T[0] == pytest.approx(3)
    assert found.experts_T[-1] == pytest.approx(1)
    assert (np.diff(found.experts_T) <= 0).all()


def test_experts_are_counted_image_by_image(tmp_path: Path) -> None:
    cells = grid_cells(LEVELS, {})
    cube = cube_of(tmp_path, cells)
    place = TAUS.index(0.2)
    counts_V = [
        np.mean([max(1, sum(w >= 0.2 for w in row)) for row in cube.arrays["gate"].read(cell)])
        for cell in cells
    ]
    expected = float(np.dot(cell_weights(cells, LEVELS), counts_V))
    assert swept(cube, EXPERTS, LEVELS).experts_T[place] == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.integers(-8, 8), min_size=len(TAUS) - 1, max_size=len(TAUS) - 1))
def test_the_largest_threshold_that_loses_little_is_chosen(steps: list[int]) -> None:
    """Thousandths below M_mix; half a thousandth apart from the tolerance, so never at it."""
    losses_T = [0, *(0.001 * step + 0.0005 for step in steps)]
    place = choose(0.7 - np.array(losses_T))
    assert losses_T[place] < 0.003
    assert all(loss > 0.003 for loss in losses_T[place + 1 :])


def made_up(areas_T: NDArray[np.float64], experts: float, images: int, seed: int) -> Swept:
    """Images scatter around the areas, which are exact."""
    scatter_TN = np.random.default_rng(seed).normal(0, 0.1, (len(TAUS), images))
    scatter_TN -= scatter_TN.mean(1, keepdims=True)
    return Swept(areas_T[:, None] + scatter_TN, np.linspace(experts, 1, len(TAUS)))


def test_validation_chooses_and_the_test_images_tell() -> None:
    """Losses on the test images must not matter for the choice, whatever they are."""
    falling_T = 0.7 - 0.0011 * np.arange(len(TAUS))  # within the tolerance up to the third
    test_T = 0.6 - 0.02 * np.arange(len(TAUS))
    by_seed = {
        seed: {
            "val": made_up(falling_T + shift, 3, 30, seed),
            "test": made_up(test_T - shift, 3 - seed, 50, seed),
        }
        for seed, shift in ((0, 0.05), (1, -0.03))
    }
    bootstrap = Bootstrap.draw(50, 300, seed=3)
    found = conditional_rows(by_seed, COST, bootstrap)
    chosen = found["chosen"]
    assert chosen["tau"] == TAUS[2]
    assert found["tolerance"] == 0.003
    assert [row["tau"] for row in found["curve"]] == list(TAUS)
    for row, test_auc, val_auc, experts in zip(
        found["curve"], test_T - 0.01, falling_T + 0.01, np.linspace(2.5, 1, len(TAUS)), strict=True
    ):
        assert row["auc"] == pytest.approx(test_auc, abs=1e-6)
        assert row["val_auc"] == pytest.approx(val_auc, abs=1e-6)
        assert row["experts"] == pytest.approx(experts, abs=1e-6)
        assert row["macs"] == pytest.approx(400 + 1000 * experts, abs=0.51)
    assert found["curve"][2].items() <= chosen.items()
    assert chosen["delta"] == pytest.approx(-0.04, abs=1e-6)
    right_TN = np.mean([found["test"].right_TN for found in by_seed.values()], axis=0)
    # The bootstrap again, with its resamples listed image by image.
    resampled = [np.repeat(np.arange(50), n.astype(int)) for n in bootstrap.counts_RN]
    areas = [right_TN[2][images].mean() for images in resampled]
    deltas = [(right_TN[2] - right_TN[0])[images].mean() for images in resampled]
    assert chosen["ci95"] == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=1e-6)
    assert chosen["delta_ci95"] == pytest.approx(np.quantile(deltas, [0.025, 0.975]), abs=1e-6)


def test_a_mixture_that_needs_all_its_experts_keeps_them() -> None:
    steep_T = 0.7 - 0.01 * np.arange(len(TAUS))
    swept_ = {0: {"val": made_up(steep_T, 3, 30, 0), "test": made_up(steep_T, 3, 30, 1)}}
    chosen = conditional_rows(swept_, COST, Bootstrap.draw(30, 100, seed=1))["chosen"]
    assert (chosen["tau"], chosen["experts"], chosen["macs"]) == (0, 3, 3400)
    assert (chosen["delta"], chosen["delta_ci95"]) == (0, [0, 0])
