"""Which test images every model gets right, in every cell: all that accuracies are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import Answers, Cell, Correct, Cube, measure
from mixqual.fusion.rules import average, hard_mix, maximum, mix
from mixqual.results.names import CEILINGS, ENSEMBLES

Measured = dict[str, list[dict[str, float]]]
"""Model to what `measure` says of its probabilities, cell by cell."""


@final
@dataclass(frozen=True)
class Scores:
    """What every model's answers in every cell are worth."""

    right: Correct
    measured: Measured
    """Of the models that give probabilities: not of M_max, nor of ceilings."""
    answers: Answers
    """Of all models but the best expert, which is another one in each cell."""


def score(
    cube: Cube,
    experts: Sequence[str],
    baselines: Sequence[str],
    true_weights: Mapping[Cell, NDArray[np.float64]],
) -> Scores:
    """Score single networks, ensembles and ceilings; the cube also holds the gate's "gate".

    `true_weights` are the optimal weights of each cell. The best expert of a cell is the one with
    the most right answers in that very cell.
    """
    rows: dict[str, list[NDArray[np.bool_]]] = {
        name: [] for name in (*experts, *baselines, *ENSEMBLES, *CEILINGS)
    }
    answers: dict[str, list[NDArray[np.int64]]] = {name: [] for name in rows}
    del answers["best_expert"]
    measured: Measured = {}
    for cell in cube.cells:
        probabilities = _deployed(cube, cell, experts, baselines)
        for name, values in probabilities.items():
            measured.setdefault(name, []).append(measure(values, cube.labels_N))
        answered = _answered(probabilities, experts)
        p_EBK = cube.read(cell, experts)
        true_BE = np.broadcast_to(true_weights[cell], (len(cube.labels_N), len(experts)))
        answered["mix_true"] = mix(p_EBK, true_BE).argmax(1)
        right = {name: answer_N == cube.labels_N for name, answer_N in answered.items()}
        right["best_expert"] = max((right[name] for name in experts), key=np.sum)
        for name, right_N in right.items():
            rows[name].append(right_N)
        for name, answer_N in answered.items():
            answers[name].append(answer_N)
    return Scores(
        {name: np.stack(values) for name, values in rows.items()},
        measured,
        {name: np.stack(values) for name, values in answers.items()},
    )


def right_answers(cube: Cube, experts: Sequence[str], baselines: Sequence[str]) -> Correct:
    """The same of single networks and ensembles alone, for images of which no more is asked."""
    rows: dict[str, list[NDArray[np.bool_]]] = {}
    for cell in cube.cells:
        probabilities = _deployed(cube, cell, experts, baselines)
        for name, answer_N in _answered(probabilities, experts).items():
            rows.setdefault(name, []).append(answer_N == cube.labels_N)
    return {name: np.stack(values) for name, values in rows.items()}


def _deployed(
    cube: Cube, cell: Cell, experts: Sequence[str], baselines: Sequence[str]
) -> dict[str, NDArray[np.floating]]:
    """What models say of a cell that know of an image what a deployed one knows, but for M_max."""
    p_EBK, w_BE = cube.read(cell, experts), cube.arrays["gate"].read(cell)
    return {
        **{name: p_EBK[index] for index, name in enumerate(experts)},
        **{name: cube.arrays[name].read(cell) for name in baselines},
        "avg": average(p_EBK),
        "hardmix": hard_mix(p_EBK, w_BE),
        "mix": mix(p_EBK, w_BE),
    }


def _answered(
    probabilities: Mapping[str, NDArray[np.floating]], experts: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """The answers of these models and of M_max, which has no probabilities of its own."""
    answered = {name: values.argmax(1) for name, values in probabilities.items()}
    return answered | {"max": maximum(np.stack([probabilities[name] for name in experts]))}
