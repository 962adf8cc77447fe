from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mixqual.evaluation import CLEAN_CELL, Cell, Cube, OutputArray
from mixqual.fusion import CEILINGS, ENSEMBLES, level_rows, right_answers, score

NOISE = Cell("noise", 10.0)
LABELS = np.array([0, 1, 1])


def cube_of(root: Path, tables: dict[str, dict[Cell, list[list[float]]]]) -> Cube:
    arrays = {}
    for name, rows in tables.items():
        arrays[name] = OutputArray(root / f"{name}.zarr", 3, 2)
        arrays[name].add_cells(list(rows))
        for cell, values in rows.items():
            arrays[name].write(cell, 0, np.array(values, np.float32))
    return Cube(arrays, [CLEAN_CELL, NOISE], LABELS)


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    sharp = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    return cube_of(
        tmp_path,
        {
            # Right on all three, then on none of them.
            "clean": {CLEAN_CELL: sharp, NOISE: [[0.4, 0.6], [0.9, 0.1], [0.6, 0.4]]},
            # Right on the first and the third, then on the last two.
            "noisy": {
                CLEAN_CELL: [[0.6, 0.4], [0.6, 0.4], [0.4, 0.6]],
                NOISE: [[0.45, 0.55], [0.3, 0.7], [0.2, 0.8]],
            },
            # A baseline, right on the first alone.
            "all": {CLEAN_CELL: [[1, 0]] * 3, NOISE: [[1, 0]] * 3},
            # The gate trusts clean, then noisy, but for one image each.
            "gate": {
                CLEAN_CELL: [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]],
                NOISE: [[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]],
            },
        },
    )


def test_right_answers_alone_are_those_of_the_scores(cube: Cube) -> None:
    true_weights = {CLEAN_CELL: np.array([1.0, 0.0]), NOISE: np.array([0.0, 1.0])}
    scored = score(cube, ["clean", "noisy"], ["all"], true_weights).right
    alone = right_answers(cube, ["clean", "noisy"], ["all"])
    assert alone.keys() == scored.keys() - set(CEILINGS)
    for model, right_VN in alone.items():
        np.testing.assert_array_equal(right_VN, scored[model])


@pytest.mark.parametrize(("part_bytes", "parts_of_three"), [(1, 3), (16, 2)])
def test_the_parts_of_the_images_change_nothing(
    cube: Cube, part_bytes: int, parts_of_three: int
) -> None:
    true_weights = {CLEAN_CELL: np.array([1.0, 0.0]), NOISE: np.array([0.0, 1.0])}
    parts = replace(cube, part_bytes=part_bytes)
    assert len(parts.parts) == parts_of_three
    whole = score(cube, ["clean", "noisy"], ["all"], true_weights)
    found = score(parts, ["clean", "noisy"], ["all"], true_weights)
    assert found.measured == whole.measured
    for each, other in ((found.right, whole.right), (found.answers, whole.answers)):
        assert list(each) == list(other)
        for model, values_VN in each.items():
            np.testing.assert_array_equal(values_VN, other[model])
    alone = right_answers(parts, ["clean", "noisy"], ["all"])
    for model, right_VN in right_answers(cube, ["clean", "noisy"], ["all"]).items():
        np.testing.assert_array_equal(alone[model], right_VN)


def test_every_model_by_hand(cube: Cube) -> None:
    true_weights = {CLEAN_CELL: np.array([1.0, 0.0]), NOISE: np.array([0.0, 1.0])}
    right = score(cube, ["clean", "noisy"], ["all"], true_weights).right
    assert set(right) == {"clean", "noisy", "all", *ENSEMBLES, *CEILINGS}
    expected = {
        "clean": [[1, 1, 1], [0, 0, 0]],
        "noisy": [[1, 0, 1], [0, 1, 1]],
        "all": [[1, 0, 0], [1, 0, 0]],
        # Means of class 1: 0.25, 0.6, 0.65; then 0.575, 0.4, 0.6.
        "avg": [[1, 1, 1], [0, 0, 1]],
        # Largest of class 0 and 1: .9/.4, .6/.8, .4/.7; then .45/.6, .9/.7, .6/.8.
        "max": [[1, 1, 1], [0, 0, 1]],
        # By the gate: clean, noisy, clean (first on a tie); then noisy, noisy, clean.
        "hardmix": [[1, 0, 1], [0, 1, 0]],
        # Class 1: 0.13, 0.44, 0.65; then 0.56, 0.46, 0.44.
        "mix": [[1, 0, 1], [0, 0, 0]],
        "mix_true": [[1, 1, 1], [0, 1, 1]],
        "best_expert": [[1, 1, 1], [0, 1, 1]],
    }
    for name, rows in expected.items():
        assert right[name].tolist() == np.array(rows, bool).tolist(), name


def test_the_best_expert_is_the_one_with_the_most_right_answers_in_the_cell(cube: Cube) -> None:
    even = {CLEAN_CELL: np.array([0.5, 0.5]), NOISE: np.array([0.5, 0.5])}
    right = score(cube, ["clean", "noisy"], [], even).right
    for row in range(2):
        assert right["best_expert"][row].sum() == max(
            right[name][row].sum() for name in ("clean", "noisy")
        )
    # With equal weights everywhere, the mixture is the average.
    np.testing.assert_array_equal(right["mix_true"], right["avg"])


def test_rows_of_a_distortion_begin_with_the_shared_clean_one() -> None:
    cells = [CLEAN_CELL, Cell("noise", 10.0), Cell("noise", 20.0), Cell("blur", 10.0)]
    assert level_rows(cells, "noise", (0.0, 10.0, 20.0)) == [0, 1, 2]
    assert level_rows(cells, "blur", (0.0, 10.0)) == [0, 3]
    assert level_rows([CLEAN_CELL, Cell("jpeg", 5.0)], "jpeg", (100.0, 5.0)) == [0, 1]
