"""Conditional inference in a study: what each threshold gives and costs, and which one to take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import Bootstrap, Cell, Cube, auc_weights
from mixqual.fusion import conditional
from mixqual.plan import Plan
from mixqual.results.names import CLEAN

TAUS = (
    *(0.0, 0.01, 0.02, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175),
    *(0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
)
"""The thresholds that are tried. From a half on no second expert can pass but one of equal weight.
"""

TOLERANCE = 0.003
"""How much validation average AUC the chosen threshold may lose."""

_DIGITS = 6


@final
@dataclass(frozen=True)
class Swept:
    """M_mix at every threshold, on a set of N images; T are the thresholds."""

    right_TN: NDArray[np.float64]
    """The part that each image has in the average AUC, which is the mean over the images."""
    experts_T: NDArray[np.float64]
    """Experts run for an image: the mean over the images and, weighted as in the AUC, the levels.
    """

    @property
    def areas_T(self) -> NDArray[np.float64]:
        """The average AUC."""
        areas_T: NDArray[np.float64] = self.right_TN.mean(1)
        return areas_T


def sweep_thresholds(plan: Plan, val: Cube, test: Cube) -> dict[str, Swept]:
    """M_mix at every threshold, on "val" and on "test"; both cubes hold experts and gate."""
    experts = list(plan.config.experts)
    levels = {name: grid for name, grid in plan.levels.items() if name not in plan.held_out}
    return {name: swept(cube, experts, levels) for name, cube in (("val", val), ("test", test))}


def swept(cube: Cube, experts: Sequence[str], levels: Mapping[str, Sequence[float]]) -> Swept:
    """M_mix at every threshold on the images of a cube, which also holds the gate's "gate".

    `levels` are the distortions that count, and their grids, the clean level first.
    """
    right_TN, experts_T = np.zeros((len(TAUS), len(cube.labels_N))), np.zeros(len(TAUS))
    for cell, weight in zip(cube.cells, cell_weights(cube.cells, levels), strict=True):
        if weight == 0:
            continue
        run_TN = np.zeros(right_TN.shape)
        for part in cube.parts:
            p_ENK, w_NE = cube.read(cell, experts, part), cube.arrays["gate"].read(cell, part)
            for place, tau in enumerate(TAUS):
                p_NK, run_TN[place, part] = conditional(p_ENK, w_NE, tau)
                right_TN[place, part] += weight * (p_NK.argmax(1) == cube.labels_N[part])
        experts_T += weight * run_TN.mean(1)
    return Swept(right_TN, experts_T)


def cell_weights(
    cells: Sequence[Cell], levels: Mapping[str, Sequence[float]]
) -> NDArray[np.float64]:
    """One weight a cell: their product with accuracies is the average AUC of these distortions.

    Several draws of a level share its weight; the clean cell serves every distortion.
    """
    weights_V = np.zeros(len(cells))
    for name, grid in levels.items():
        places = [(CLEAN, 0.0), *((name, level) for level in grid[1:])]
        for place, weight in zip(places, auc_weights(grid), strict=True):
            rows = [row for row, c in enumerate(cells) if (c.distortion, c.level) == place]
            weights_V[rows] += weight / len(rows) / len(levels)
    return weights_V


def choose(areas_T: NDArray[np.float64]) -> int:
    """The place in `TAUS` of the largest whose average AUC is within `TOLERANCE` of M_mix's."""
    return int(np.flatnonzero(areas_T >= areas_T[0] - TOLERANCE)[-1])


def conditional_rows(
    by_seed: Mapping[int, Mapping[str, Swept]],
    cost: Mapping[str, Mapping[str, Any]],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """The `conditional` table: the curve over all thresholds, and the one chosen on validation.

    `by_seed` is from `sweep_thresholds`, `cost` from `costs`. Numbers are means over seeds, and one
    threshold is chosen for all of them.
    """
    right_TN = np.mean([found["test"].right_TN for found in by_seed.values()], axis=0)
    experts_T = np.mean([found["test"].experts_T for found in by_seed.values()], axis=0)
    val_T = np.mean([found["val"].areas_T for found in by_seed.values()], axis=0)
    gate = cost["mix"]["macs"] - cost["avg"]["macs"]
    one = cost["avg"]["macs"] / cost["avg"]["experts_run"]
    curve = [
        {
            "tau": tau,
            "auc": round(float(right_N.mean()), _DIGITS),
            "val_auc": round(float(val_auc), _DIGITS),
            "experts": round(float(experts), _DIGITS),
            "macs": round(gate + float(experts) * one),
        }
        for tau, right_N, val_auc, experts in zip(TAUS, right_TN, val_T, experts_T, strict=True)
    ]
    place = choose(val_T)
    difference_N = right_TN[place] - right_TN[0]
    chosen = {
        **curve[place],
        "ci95": [round(end, _DIGITS) for end in bootstrap.interval(right_TN[place])],
        "delta": round(float(difference_N.mean()), _DIGITS),
        "delta_ci95": [round(end, _DIGITS) for end in bootstrap.interval(difference_N)],
    }
    return {"curve": curve, "chosen": chosen, "tolerance": TOLERANCE}
