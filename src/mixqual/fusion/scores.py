"""Which test images every model gets right, in every cell: all that accuracies are made of."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import CLEAN, Cell, Cube, measure
from mixqual.fusion.rules import average, hard_mix, maximum, mix

Correct = dict[str, NDArray[np.bool_]]
"""Model to (cell, image): whether the class with the highest score is the true one."""

ENSEMBLES = ("avg", "max", "hardmix", "mix")
CEILINGS = ("mix_true", "best_expert")
"""Bounds that use what no deployed model knows: the distortion and level of each image."""


def score(
    cube: Cube,
    experts: Sequence[str],
    baselines: Sequence[str],
    true_weights: Mapping[Cell, NDArray[np.float64]],
) -> Correct:
    """Score single networks, ensembles and ceilings; the cube also holds the gate's "gate".

    `true_weights` are the optimal weights of each cell. The best expert of a cell is the one with
    the most right answers in that very cell.
    """
    rows: dict[str, list[NDArray[np.bool_]]] = {
        name: [] for name in (*experts, *baselines, *ENSEMBLES, *CEILINGS)
    }
    for cell in cube.cells:
        scores = _scores(cube, cell, experts, baselines)
        w_BE = np.broadcast_to(true_weights[cell], (len(cube.labels_N), len(experts)))
        scores |= {
            "max": maximum(cube.read(cell, experts)),
            "mix_true": mix(cube.read(cell, experts), w_BE),
        }
        right = {name: values.argmax(1) == cube.labels_N for name, values in scores.items()}
        right["best_expert"] = max((right[name] for name in experts), key=np.sum)
        for name, values in right.items():
            rows[name].append(values)
    return {name: np.stack(values) for name, values in rows.items()}


def measure_models(
    cube: Cube, experts: Sequence[str], baselines: Sequence[str]
) -> dict[str, list[dict[str, float]]]:
    """What `measure` says of each model's probabilities, cell by cell.

    Of the models that give probabilities: M_max, whose scores are none, and ceilings are left out.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for cell in cube.cells:
        for name, p_BK in _scores(cube, cell, experts, baselines).items():
            found.setdefault(name, []).append(measure(p_BK, cube.labels_N))
    return found


def _scores(
    cube: Cube, cell: Cell, experts: Sequence[str], baselines: Sequence[str]
) -> dict[str, NDArray[np.floating]]:
    """The probabilities of single networks and ensembles in a cell."""
    p_EBK = cube.read(cell, experts)
    w_BE = cube.arrays["gate"].read(cell)
    return {
        **{name: p_EBK[index] for index, name in enumerate(experts)},
        **{name: cube.arrays[name].read(cell) for name in baselines},
        "avg": average(p_EBK),
        "hardmix": hard_mix(p_EBK, w_BE),
        "mix": mix(p_EBK, w_BE),
    }


def level_rows(cells: Sequence[Cell], distortion: str, levels: Sequence[float]) -> list[int]:
    """The positions of a distortion's levels among the cells, the clean cell for the first."""
    places = {(cell.distortion, cell.level): index for index, cell in enumerate(cells)}
    return [places[CLEAN, 0.0], *(places[distortion, level] for level in levels[1:])]
