"""Which test images every model gets right, in every cell: all that accuracies are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import Answered, Answers, Cell, Correct, Cube, measure_answers
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
        kept: dict[str, list[Answered]] = {}
        classes: dict[str, list[NDArray[np.int64]]] = {"max": [], "mix_true": []}
        for part in cube.parts:
            p_EBK, probabilities = _deployed(cube, cell, experts, baselines, part)
            _keep(kept, probabilities, cube.labels_N[part])
            true_BE = np.broadcast_to(true_weights[cell], (p_EBK.shape[1], len(experts)))
            classes["max"].append(maximum(p_EBK))
            classes["mix_true"].append(mix(p_EBK, true_BE).argmax(1))
        joined = {name: Answered.joined(parts) for name, parts in kept.items()}
        for name, said in joined.items():
            measured.setdefault(name, []).append(measure_answers(said, cube.labels_N))
        answered = {name: said.class_N for name, said in joined.items()}
        answered |= {name: np.concatenate(parts) for name, parts in classes.items()}
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


def answers_in(
    cube: Cube, cell: Cell, experts: Sequence[str], baselines: Sequence[str]
) -> dict[str, Answered]:
    """What all models say of a cell that give probabilities, ceilings left out."""
    kept: dict[str, list[Answered]] = {}
    for part in cube.parts:
        _, probabilities = _deployed(cube, cell, experts, baselines, part)
        _keep(kept, probabilities, cube.labels_N[part])
    return {name: Answered.joined(parts) for name, parts in kept.items()}


def _keep(
    kept: dict[str, list[Answered]],
    probabilities: Mapping[str, NDArray[np.floating]],
    labels_B: NDArray[np.integer],
) -> None:
    for name, p_BK in probabilities.items():
        kept.setdefault(name, []).append(Answered.of(p_BK, labels_B))


def right_answers(cube: Cube, experts: Sequence[str], baselines: Sequence[str]) -> Correct:
    """The same of single networks and ensembles alone, for images of which no more is asked."""
    rows: dict[str, list[NDArray[np.bool_]]] = {}
    for cell in cube.cells:
        classes: dict[str, list[NDArray[np.int64]]] = {}
        for part in cube.parts:
            p_EBK, probabilities = _deployed(cube, cell, experts, baselines, part)
            for name, p_BK in probabilities.items():
                classes.setdefault(name, []).append(p_BK.argmax(1))
            classes.setdefault("max", []).append(maximum(p_EBK))
        for name, parts in classes.items():
            rows.setdefault(name, []).append(np.concatenate(parts) == cube.labels_N)
    return {name: np.stack(values) for name, values in rows.items()}


def _deployed(
    cube: Cube, cell: Cell, experts: Sequence[str], baselines: Sequence[str], images: slice
) -> tuple[NDArray[np.floating], dict[str, NDArray[np.floating]]]:
    """What the experts say of some images of a cell, and by name what the models say.

    These are all that give probabilities, and know of an image what a deployed one knows.
    """
    p_EBK, w_BE = cube.read(cell, experts, images), cube.arrays["gate"].read(cell, images)
    return p_EBK, {
        **{name: p_EBK[index] for index, name in enumerate(experts)},
        **{name: cube.arrays[name].read(cell, images) for name in baselines},
        "avg": average(p_EBK),
        "hardmix": hard_mix(p_EBK, w_BE),
        "mix": mix(p_EBK, w_BE),
    }
