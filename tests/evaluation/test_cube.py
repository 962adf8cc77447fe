from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mixqual.evaluation import CLEAN, CLEAN_CELL, Cell, Cube, OutputArray, Predicted, grid_cells


def values(rows: int, outputs: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((rows, outputs), dtype=np.float32)


# Cells


def test_the_grid_is_clean_then_each_distortions_levels_in_each_draw() -> None:
    assert grid_cells({"noise": (0.0, 10.0, 20.0), "blur": (0.0, 1.5)}, {"noise": 2}) == [
        Cell(CLEAN, 0.0, 0),
        Cell("noise", 10.0, 0),
        Cell("noise", 10.0, 1),
        Cell("noise", 20.0, 0),
        Cell("noise", 20.0, 1),
        Cell("blur", 1.5, 0),
    ]


def test_the_papers_grid_has_21_cells() -> None:
    tens = tuple(10.0 * step for step in range(11))
    cells = grid_cells({"noise": tens, "blur": tuple(v / 10 for v in tens)}, {})
    assert len(cells) == 21
    assert len(set(cells)) == 21
    assert grid_cells({}, {}) == [CLEAN_CELL]


# The cube


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    cells = grid_cells({"noise": (0.0, 10.0, 20.0), "blur": (0.0, 1.5)}, {"noise": 2})
    arrays = {}
    for number, name in enumerate(("clean", "noise")):
        arrays[name] = OutputArray(tmp_path / f"{name}.zarr", 4, 3)
        # Rooms in another order than the cube's cells, as after a study that grew.
        arrays[name].add_cells(cells[::-1])
        for seed, cell in enumerate(cells):
            arrays[name].write(cell, 0, values(4, 3, seed=100 * number + seed))
    return Cube(arrays, cells, np.array([2, 0, 1, 1]))


def test_a_cube_reads_networks_in_the_order_asked(cube: Cube) -> None:
    read_ENK = cube.read(Cell("noise", 20.0, 0), ["noise", "clean"])
    np.testing.assert_array_equal(read_ENK, [values(4, 3, 103), values(4, 3, 3)])


def test_a_cube_knows_the_draws_of_a_level(cube: Cube) -> None:
    assert cube.draws("noise", 10.0) == [Cell("noise", 10.0, 0), Cell("noise", 10.0, 1)]
    assert cube.draws("blur", 1.5) == [Cell("blur", 1.5, 0)]
    assert cube.draws("blur", 10.0) == []


def test_a_cube_as_a_labelled_array(cube: Cube) -> None:
    labelled = cube.to_xarray(["noise", "clean"])
    assert labelled.dims == ("network", "cell", "image", "class")
    assert labelled.shape == (2, 6, 4, 3)
    assert labelled.name == "probability"
    assert labelled["network"].to_numpy().tolist() == ["noise", "clean"]
    assert labelled["distortion"].to_numpy().tolist() == [CLEAN, *["noise"] * 4, "blur"]
    assert labelled["level"].to_numpy().tolist() == [0, 10, 10, 20, 20, 1.5]
    assert labelled["draw"].to_numpy().tolist() == [0, 0, 1, 0, 1, 0]
    assert labelled["label"].to_numpy().tolist() == [2, 0, 1, 1]
    for network in ("noise", "clean"):
        for position, cell in enumerate(cube.cells):
            np.testing.assert_array_equal(
                labelled.sel(network=network).isel(cell=position), cube.arrays[network].read(cell)
            )


def test_a_prediction_is_right_where_the_true_class_has_the_highest_probability() -> None:
    blurred = Cell("blur", 1.5)
    p_VNK = {CLEAN_CELL: [[0.1, 0.9], [0.6, 0.4]], blurred: [[0.7, 0.3], [0.2, 0.8]]}
    said = Predicted(
        [blurred, CLEAN_CELL], np.array([1, 0]), 2, lambda cell, part: np.array(p_VNK[cell])[part]
    )
    assert said.right_VN().tolist() == [[False, False], [True, True]]
