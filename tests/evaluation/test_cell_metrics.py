from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from mixqual.errors import MixqualError
from mixqual.evaluation import Cube, OutputArray, grid_cells
from mixqual.evaluation.cell_metrics import measure_cells, rounded
from mixqual.evaluation.metrics import measure

CELLS = grid_cells({"gaussian_noise": (0.0, 50.0), "gaussian_blur": (0.0, 2.0)}, {})
LABELS_N = np.array([0, 1, 2, 2, 1])


def cube(path: Path, outputs_VNK: NDArray[np.float64]) -> Cube:
    array = OutputArray(path / "outputs.zarr", 5, 3)
    array.add_cells(CELLS)
    for cell, outputs_NK in zip(CELLS, outputs_VNK, strict=True):
        array.write(cell, 0, outputs_NK.astype(np.float32))
    return Cube({"net": array}, CELLS, LABELS_N)


def logits() -> NDArray[np.float64]:
    return np.random.default_rng(3).normal(0, 2, (len(CELLS), 5, 3))


def test_logits_go_through_a_softmax(tmp_path: Path) -> None:
    found = measure_cells(cube(tmp_path, logits()), "net")
    assert "softmax" in found.scores
    for row, cell in enumerate(CELLS):
        p_NK = scipy.special.softmax(logits()[row], axis=1)
        assert found.metrics[cell] == pytest.approx(measure(p_NK, LABELS_N), abs=1e-6)
        assert found.right_VN[row].tolist() == (p_NK.argmax(1) == LABELS_N).tolist()


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    p_VNK = scipy.special.softmax(logits(), axis=2)
    found = measure_cells(cube(tmp_path, p_VNK), "net")
    assert found.scores == "probabilities"
    assert found.metrics[CELLS[1]]["nll"] == pytest.approx(
        -np.log(p_VNK[1, np.arange(5), LABELS_N]).mean(), abs=1e-6
    )


def test_logits_that_look_like_probabilities_in_some_cells_are_logits_in_all(
    tmp_path: Path,
) -> None:
    outputs_VNK = logits()
    outputs_VNK[0] = np.eye(3)[LABELS_N]
    found = measure_cells(cube(tmp_path, outputs_VNK), "net")
    assert "softmax" in found.scores
    assert found.metrics[CELLS[0]]["nll"] == pytest.approx(np.log(np.e + 2) - 1, abs=1e-6)


def test_nan_is_refused_with_the_cell_it_is_in(tmp_path: Path) -> None:
    outputs_VNK = logits()
    outputs_VNK[1, 4, 2] = np.nan
    with pytest.raises(MixqualError, match=r"NaN .* gaussian_noise at level 50"):
        measure_cells(cube(tmp_path, outputs_VNK), "net")


def test_rounding_keeps_counts_whole() -> None:
    assert rounded({"n": 3, "nll": 0.12345678}) == {"n": 3, "nll": 0.123457}


def test_wrong_answers_are_counted_image_by_image(tmp_path: Path) -> None:
    levels = {"gaussian_noise": (0.0, 20.0, 50.0)}
    cells = grid_cells(levels, {})
    array = OutputArray(tmp_path / "outputs.zarr", 5, 3)
    array.add_cells(cells)
    # Right everywhere; then wrong for images 0 and 4; then for image 4.
    for cell, wrong in zip(cells, ([], [0, 4], [4]), strict=True):
        answers_N = LABELS_N.copy()
        answers_N[wrong] = (answers_N[wrong] + 1) % 3
        array.write(cell, 0, np.eye(3, dtype=np.float32)[answers_N])
    found = measure_cells(Cube({"net": array}, cells, LABELS_N), "net").wrong("net", levels)
    assert np.asarray(found.clean).tolist() == [0, 0, 0, 0, 0]
    assert np.asarray(found.distorted["gaussian_noise"]).tolist() == [0.5, 0, 0, 0, 1]


@pytest.mark.parametrize("part_bytes", [1, 40])
def test_the_parts_of_the_images_change_nothing(tmp_path: Path, part_bytes: int) -> None:
    whole = cube(tmp_path, logits())
    parts = replace(whole, part_bytes=part_bytes)
    assert len(parts.parts) > 1
    found, expected = measure_cells(parts, "net"), measure_cells(whole, "net")
    np.testing.assert_array_equal(found.right_VN, expected.right_VN)
    assert (found.metrics, found.scores) == (expected.metrics, expected.scores)
