"""Cells of an array of outputs go through a store in whatever parts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.evaluation import Cell, OutputArray
from mixqual.evaluation.outputs import BLOCK
from mixqual.mirror import Mirror
from mixqual.mirrored_outputs import fetch_cells, publish_cells
from mixqual.object_store import ObjectStore

IMAGES = BLOCK + 3  # two blocks, one of them short
CELLS = [Cell("noise", float(level), draw) for level in range(3) for draw in range(2)]
NAME = "outputs-1.zarr"


def values(cell: Cell) -> NDArray[np.float32]:
    seed = CELLS.index(cell)
    return np.random.default_rng(seed).random((IMAGES, 2), dtype=np.float32)


def array(node: Path, full: Sequence[Cell] = ()) -> OutputArray:
    made = OutputArray(node / NAME, IMAGES, 2)
    made.add_cells([*full, *CELLS])  # so rows are in another order on every node
    for cell in full:
        for block in range(made.blocks):
            made.write(cell, block, values(cell)[made.block(block)])
    return made


def mirror(root: Path) -> Mirror:
    return Mirror(ObjectStore(f"file://{root}/store"))


def lacking(made: OutputArray) -> list[Cell]:
    return [cell for cell in CELLS if not made.is_full([cell])]


some_cells = st.lists(st.sampled_from(CELLS), unique=True, max_size=len(CELLS))


@settings(deadline=None, max_examples=15)
@given(parts=st.lists(some_cells, max_size=3), own=some_cells, wanted=some_cells)
def test_cells_come_back_from_any_parts(
    parts: list[list[Cell]],
    own: list[Cell],
    wanted: list[Cell],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("any")
    for number, part in enumerate(parts):
        maker = array(root / str(number), part)
        maker.note_backend(f"backend {number}")
        publish_cells(mirror(root), maker, CELLS)  # of which it has only some
    here = array(root / "here", own)
    fetch_cells(mirror(root), here, wanted)
    published = {cell for part in parts for cell in part}
    assert set(CELLS) - set(lacking(here)) == set(own) | (set(wanted) & published)
    for cell in set(CELLS) - set(lacking(here)):
        assert np.array_equal(here.read(cell), values(cell))
    if set(wanted) & published <= set(own):
        assert here.backends == ()
    else:
        assert set(here.backends) <= {f"backend {number}" for number in range(len(parts))} != set()


def test_no_cell_is_uploaded_twice(tmp_path: Path) -> None:
    publish_cells(mirror(tmp_path), array(tmp_path / "a", CELLS[:3]), CELLS)
    publish_cells(mirror(tmp_path), array(tmp_path / "b", CELLS[1:5]), CELLS)
    publish_cells(mirror(tmp_path), array(tmp_path / "c", CELLS[:5]), CELLS)
    parts = mirror(tmp_path).finished(NAME)
    abouts = [mirror(tmp_path).about(part) for part in parts]
    rows = sorted(row for about in abouts if about for row in about["cells"])
    assert rows == [[cell.distortion, cell.level, cell.draw] for cell in CELLS[:5]]


def test_a_half_written_cell_stays_here(tmp_path: Path) -> None:
    made = array(tmp_path / "a", CELLS[:1])
    made.write(CELLS[1], 0, values(CELLS[1])[made.block(0)])
    publish_cells(mirror(tmp_path), made, CELLS[1:])
    assert mirror(tmp_path).finished(NAME) == []


def test_a_damaged_cell_lacks_and_can_be_made_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = array(tmp_path / "a", CELLS[:3])
    publish_cells(mirror(tmp_path), made, CELLS)
    path = next((tmp_path / "store" / "artifacts").rglob("1.npy"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    here = array(tmp_path / "b")
    fetch_cells(mirror(tmp_path), here, CELLS)
    assert "its 1.npy is damaged; it counts as not made" in capfd.readouterr().err
    assert lacking(here) == CELLS[1:]
    publish_cells(mirror(tmp_path), made, CELLS)
    fetch_cells(mirror(tmp_path), here, CELLS)
    assert lacking(here) == CELLS[3:]
    assert np.array_equal(here.read(CELLS[1]), values(CELLS[1]))
