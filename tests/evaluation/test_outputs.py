import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import KINDS, damage, files_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.errors import RunError
from mixqual.evaluation import CLEAN_CELL, Cell, OutputArray
from mixqual.evaluation.outputs import BLOCK, DamagedArray

A1, A2, B1 = Cell("a", 0.1), Cell("a", 2.5, draw=1), Cell("b", 10.0)


def values(rows: int, outputs: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((rows, outputs), dtype=np.float32)


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
    with pytest.raises(RunError, match=r"room\.zarr lacks .* run the study again"):
        array.read(A1)


def test_what_is_written_is_read_in_its_own_cell(tmp_path: Path) -> None:
    array = OutputArray(tmp_path / "own.zarr", images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1, A2])
    array.write(A1, 0, values(5, 3))
    assert array.has(A1, 0)
    np.testing.assert_array_equal(array.read(A1), values(5, 3))
    assert array.read(A1).dtype == np.float32
    for other in (CLEAN_CELL, A2):
        assert not array.has(other, 0)


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
    with pytest.raises(DamagedArray, match=r"it holds \(5, 3\) images and outputs, not"):
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
        unwritten = np.isnan(array._array[1]).any(1)
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
    new = {path for path in (tmp_path / "files.zarr").rglob("*") if path.is_file()} - before
    # Beside it stands its checksum, which comes later: without it the block is not there.
    assert {path.relative_to(tmp_path / "files.zarr").as_posix() for path in new} == {
        "c/0/0/0",
        "sums/0.0",
    }


# Damage


CELLS = [CLEAN_CELL, A1, A2, B1]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arrays of two blocks a cell, not to be changed."""
    root = tmp_path_factory.mktemp("sound")
    for number, name in enumerate(("one.zarr", "two.zarr")):
        array = OutputArray(root / name, BLOCK + 3, 2)
        array.add_cells(CELLS)
        array.note_backend("eager")
        array.note_maker({"version": "1"})
        for place, cell in enumerate(CELLS):
            whole = values(BLOCK + 3, 2, seed=10 * number + place)
            for block in range(2):
                array.write(cell, block, whole[array.block(block)])
    return root


@settings(deadline=None, max_examples=25)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32))
def test_what_counts_as_written_is_what_was_written_whatever_was_damaged(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int
) -> None:
    root = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    random = np.random.default_rng(seed)
    files = [path for path in files_of(root) if "one.zarr" in path.parts]
    path = files[random.integers(len(files))]
    others = [other for other in files_of(root) if other.name == path.name and other != path]
    damage(path, kind, random, others)
    try:
        array = OutputArray(root / "one.zarr", BLOCK + 3, 2)
    except DamagedArray:
        return
    assert array.backends in ((), ("eager",))
    assert array.makers in ((), ({"version": "1"},))
    for place, cell in enumerate(CELLS):
        for block in range(2):
            if array.has(cell, block):
                found = np.asarray(array._array[place, array.block(block)])
                whole = values(BLOCK + 3, 2, seed=place)
                np.testing.assert_array_equal(found, whole[array.block(block)])


def test_a_damaged_block_is_named_and_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hurt.zarr"
    array = OutputArray(path, images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1])
    for cell in (CLEAN_CELL, A1):
        array.write(cell, 0, values(5, 3))
    chunk = path / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"!")
    again = OutputArray(path, images=5, outputs=3)
    assert again.has(CLEAN_CELL, 0)
    assert not again.is_full([CLEAN_CELL, A1])
    assert f"{path}: block 0 of {A1} is damaged; it is computed again" in capsys.readouterr().err
    again.write(A1, 0, values(5, 3))
    np.testing.assert_array_equal(OutputArray(path, 5, 3).read(A1), values(5, 3))


def test_blocks_that_change_places_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "moved.zarr"
    array = OutputArray(path, images=5, outputs=3)
    array.add_cells([A1, B1])
    for seed, cell in enumerate((A1, B1)):
        array.write(cell, 0, values(5, 3, seed))
    for folder, first, second in (("c", "0/0/0", "1/0/0"), ("sums", "0.0", "1.0")):
        os.replace(path / folder / first, tmp_path / "kept")
        os.replace(path / folder / second, path / folder / first)
        os.replace(tmp_path / "kept", path / folder / second)
    again = OutputArray(path, images=5, outputs=3)
    assert not again.has(A1, 0)
    assert not again.has(B1, 0)


def test_outputs_of_before_there_were_checksums_are_sealed_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "old.zarr"
    array = OutputArray(path, images=5, outputs=3)
    array.add_cells([CLEAN_CELL, A1])
    array.write(A1, 0, values(5, 3))
    shutil.rmtree(path / "sums")
    meta = json.loads((path / "zarr.json").read_text())
    for name in ("sums", "checksum", "makers"):
        del meta["attributes"][name]
    (path / "zarr.json").write_text(json.dumps(meta))
    old = OutputArray(path, images=5, outputs=3)
    assert (old.has(CLEAN_CELL, 0), old.has(A1, 0)) == (False, True)
    old.seal()
    assert old.makers == (None,)
    new = OutputArray(path, images=5, outputs=3)
    assert (new.has(CLEAN_CELL, 0), new.has(A1, 0)) == (False, True)
    chunk = path / "c" / "1" / "0" / "0"
    chunk.write_bytes(b"")
    assert not OutputArray(path, images=5, outputs=3).has(A1, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answers_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    array = OutputArray(tmp_path / "nan.zarr", images=5, outputs=3)
    array.add_cells([A1])
    whole = values(5, 3)
    whole[3, 1] = value
    with pytest.raises(RunError, match=r"nan\.zarr: the network gives answers that are NaN"):
        array.write(A1, 0, whole)
    assert not array.has(A1, 0)
