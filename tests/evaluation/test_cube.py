from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mixqual.errors import RunError
from mixqual.evaluation import CLEAN, CLEAN_CELL, Cell, Cube, OutputArray, Predicted, grid_cells
from mixqual.evaluation.cube import BLOCK

A1, A2, B1 = Cell("a", 0.1), Cell("a", 2.5, draw=1), Cell("b", 10.0)


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


# The array of one network


def test_a_new_array_has_no_cells(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "new.zarr", images=5, outputs=3)
    assert array.cells == []
    assert array.blocks == 1
    assert not array.has(CLEAN_CELL, 0)


def test_what_a_network_ran_as_stays_with_its_outputs(tmp_path: Path) -> None:
    path = tmp_path / "noted.zarr"
    array = OutputArray(path, images=5, outputs=3)
    assert array.backends == ()
    for name in ("eager", "compiled", "eager"):
        array.note_backend(name)
    array.add_cells([CLEAN_CELL])
    array.write(CLEAN_CELL, 0, values(5, 3))
    again = OutputArray(path, images=5, outputs=3)
    assert again.backends == array.backends == ("eager", "compiled")
    assert again.cells == [CLEAN_CELL]


def test_room_is_not_yet_content(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "room.zarr", images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1])
    assert array.cells == [CLEAN_CELL, A1]
    assert not array.has(A1, 0)
    assert np.isnan(array.read(A1)).all()
    assert array.read(A1).shape == (5, 3)


def test_what_is_written_is_read_in_its_own_cell(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "own.zarr", images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1, A2])
    array.write(A1, 0, values(5, 3))
    assert array.has(A1, 0)
    np.testing.assert_array_equal(array.read(A1), values(5, 3))
    assert array.read(A1).dtype == np.float32
    for other in (CLEAN_CELL, A2):
        assert not array.has(other, 0)
        assert np.isnan(array.read(other)).all()


def test_cells_that_differ_in_the_draw_or_the_level_alone_are_apart(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "apart.zarr", images=2, outputs=1)
    cells = [Cell("a", 1.0, 0), Cell("a", 1.0, 1), Cell("a", 1.0000001, 0), Cell("b", 1.0, 0)]
    array.add_cells(cells)
    for number, cell in enumerate(cells):
        array.write(cell, 0, np.full((2, 1), number, np.float32))
    assert [array.read(cell)[0, 0] for cell in cells] == [0, 1, 2, 3]


def test_new_cells_leave_the_old_ones(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "grow.zarr", images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1])
    array.write(A1, 0, values(5, 3))
    array.add_cells([B1, A1, A2])
    assert array.cells == [CLEAN_CELL, A1, B1, A2]
    np.testing.assert_array_equal(array.read(A1), values(5, 3))
    assert not array.has(B1, 0)
    array.add_cells([A2, CLEAN_CELL])
    assert array.cells == [CLEAN_CELL, A1, B1, A2]


def test_an_array_reopened_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "again.zarr"
    first = OutputArray(path, images=5, outputs=3)
    first.add_cells([CLEAN_CELL, A1])
    first.write(A1, 0, values(5, 3))
    again = OutputArray(path, images=5, outputs=3)
    assert again.cells == [CLEAN_CELL, A1]
    assert again.has(A1, 0)
    assert not again.has(CLEAN_CELL, 0)
    np.testing.assert_array_equal(again.read(A1), values(5, 3))
    again.add_cells([B1])
    again.write(B1, 0, values(5, 3, seed=1))
    np.testing.assert_array_equal(
        OutputArray(path, images=5, outputs=3).read(B1), values(5, 3, seed=1)
    )


def test_levels_survive_the_file_to_the_last_bit(tmp_path: Path) -> None:
    cells = [Cell("a", level) for level in (0.1, 0.1 + 0.2, 1 / 3, 571428.571429, 1e-6, 10)]
    OutputArray(tmp_path / "bits.zarr", 1, 1).add_cells(cells)
    assert OutputArray(tmp_path / "bits.zarr", 1, 1).cells == cells


def test_room_that_a_kill_left_without_a_name_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "killed.zarr"
    array = OutputArray(path, images=2, outputs=1)
    array.add_cells([A1])
    array.write(A1, 0, values(2, 1))
    array._array.resize((5, 2, 1))  # killed here: the names come after the shape
    again = OutputArray(path, images=2, outputs=1)
    assert again.cells == [A1]
    again.add_cells([B1])
    again.write(B1, 0, values(2, 1, seed=1))
    last = OutputArray(path, images=2, outputs=1)
    np.testing.assert_array_equal(last.read(A1), values(2, 1))
    np.testing.assert_array_equal(last.read(B1), values(2, 1, seed=1))


@pytest.mark.parametrize(("images", "outputs"), [(6, 3), (5, 4), (5, 0)])
def test_an_array_of_other_images_or_classes_is_refused(
    tmp_path: Path, images: int, outputs: int
) -> None:
    OutputArray(tmp_path / "other.zarr", images=5, outputs=3)
    with pytest.raises(RunError, match=r"other\.zarr holds \(5, 3\) .* delete it"):
        OutputArray(tmp_path / "other.zarr", images=images, outputs=outputs)


# Places that refuse to be written to: in /sys nobody can make a file, not even root


def test_a_place_that_cannot_be_written_is_named() -> None:
    with pytest.raises(RunError, match=r"^/sys/cube\.zarr: cannot be written"):
        OutputArray(Path("/sys/cube.zarr"), images=2, outputs=1)


def test_a_block_that_cannot_be_written_is_an_error_that_names_the_array(tmp_path: Path) -> None:
    path = tmp_path / "shut.zarr"
    array = OutputArray(path, images=2, outputs=1)
    array.add_cells([CLEAN_CELL, A1])
    array.write(CLEAN_CELL, 0, values(2, 1))
    (path / "c" / "1").symlink_to("/sys")  # where the cell of A1 would go
    with pytest.raises(RunError, match=f"^{path}: cannot be written"):
        array.write(A1, 0, values(2, 1))
    again = OutputArray(path, images=2, outputs=1)
    assert again.has(CLEAN_CELL, 0)
    assert not again.has(A1, 0)


# Blocks


@pytest.mark.parametrize(
    ("images", "blocks"), [(1, 1), (BLOCK, 1), (BLOCK + 1, 2), (2 * BLOCK, 2), (2500, 3)]
)
def test_blocks_cover_every_image_once(tmp_path: Path, images: int, blocks: int) -> None:
    array = OutputArray(tmp_path / "blocks.zarr", images, 1)
    assert array.blocks == blocks
    covered = [n for block in range(blocks) for n in range(images)[array.block(block)]]
    assert covered == list(range(images))


def test_blocks_are_written_and_found_one_by_one(tmp_path: Path) -> None:
    images = 2 * BLOCK + 7
    array = OutputArray(tmp_path / "three.zarr", images, 2)
    array.add_cells([CLEAN_CELL, A1])
    whole = values(images, 2)
    for done, block in enumerate((2, 0, 1)):
        assert sum(array.has(A1, number) for number in range(3)) == done
        array.write(A1, block, whole[array.block(block)])
        assert array.has(A1, block)
        assert not array.has(CLEAN_CELL, block)
        unwritten = np.isnan(array.read(A1)).any(1)
        assert unwritten.sum() == sum(
            len(range(images)[array.block(number)])
            for number in range(3)
            if not array.has(A1, number)
        )
    np.testing.assert_array_equal(array.read(A1), whole)


def test_a_block_is_one_file(tmp_path: Path) -> None:
    # So that a kill leaves a block whole or not at all.
    array = OutputArray(tmp_path / "files.zarr", BLOCK + 1, 300)
    array.add_cells([CLEAN_CELL])
    before = set((tmp_path / "files.zarr").rglob("*"))
    array.write(CLEAN_CELL, 0, values(BLOCK, 300))
    new = set((tmp_path / "files.zarr").rglob("*")) - before
    assert len([path for path in new if path.is_file()]) == 1


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
    p_VNK = {CLEAN_CELL: [[0.1, 0.9], [0.6, 0.4]], B1: [[0.7, 0.3], [0.2, 0.8]]}
    said = Predicted([B1, CLEAN_CELL], np.array([1, 0]), lambda cell: np.array(p_VNK[cell]))
    assert said.right_VN().tolist() == [[False, False], [True, True]]
