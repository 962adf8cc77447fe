"""The metrics of one classifier in every cell of a cube."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import MixqualError
from mixqual.evaluation.corruption_error import ErrorRates
from mixqual.evaluation.cube import Cube
from mixqual.evaluation.metrics import Answered, are_probabilities, measure_answers, softmax
from mixqual.evaluation.outputs import CLEAN_CELL, Cell


@final
@dataclass(frozen=True)
class CellMetrics:
    """What a classifier's scores are worth, cell by cell."""

    right_VN: NDArray[np.bool_]
    """(cell, image): whether the class with the highest score is the true one."""
    metrics: Mapping[Cell, Mapping[str, float]]
    """What `metrics.measure` returns for each cell."""
    scores: str
    """What the scores were taken for."""

    def wrong(self, name: str, levels: Mapping[str, Sequence[float]]) -> ErrorRates:
        """The error rates on grids of levels with the clean one first, one number an image."""
        wrong_VN = (~self.right_VN).astype(np.float64)
        rows = {cell: row for row, cell in enumerate(self.metrics)}
        distorted = {
            kind: wrong_VN[[rows[Cell(kind, level)] for level in grid[1:]]].mean(axis=0)
            for kind, grid in levels.items()
        }
        return ErrorRates(name, wrong_VN[rows[CLEAN_CELL]], distorted)


def measure_cells(cube: Cube, name: str) -> CellMetrics:
    """Measure a network of a cube, whose outputs are logits or probabilities.

    They are taken for probabilities if they are so for every image of every cell, and go through a
    softmax otherwise. Raises `MixqualError` if one of them is NaN.
    """
    given = _are_probabilities(cube, name)
    right, metrics = [], {}
    for cell in cube.cells:
        classes, answered = [], []
        for part in cube.parts:
            scores_NK = cube.arrays[name].read(cell, part)
            classes.append(scores_NK.argmax(axis=1))  # a softmax may make two of them equal
            p_NK = scores_NK if given else softmax(scores_NK)
            answered.append(Answered.of(p_NK, cube.labels_N[part]))
        right.append(np.concatenate(classes) == cube.labels_N)
        metrics[cell] = measure_answers(Answered.joined(answered), cube.labels_N)
    scores = "probabilities" if given else "logits, made probabilities by a softmax"
    return CellMetrics(np.stack(right), metrics, scores)


def rounded(metrics: Mapping[str, float], digits: int = 6) -> dict[str, float]:
    """The metrics of a cell for a file; counts stay whole."""
    return {name: round(value, digits) for name, value in metrics.items()}


def _are_probabilities(cube: Cube, name: str) -> bool:
    answers = []
    for cell, part in product(cube.cells, cube.parts):
        scores_NK = cube.arrays[name].read(cell, part)
        if np.isnan(scores_NK).any():
            raise MixqualError(
                f"{name} returned NaN for an image under {cell.distortion} at level "
                f"{cell.level:g}; its scores must be numbers"
            )
        answers.append(are_probabilities(scores_NK))
    return all(answers)
