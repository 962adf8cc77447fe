"""What has happened to an image, read off the weights that the gate gives to the experts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy.manifest import Grid

CLEAN = "clean"
_AS_NEAR = 0.1
"""Rows whose distances differ by less cannot be told apart: gates deviate as much over images."""


@final
@dataclass(frozen=True)
class Estimate:
    """The distortion and level whose optimal weights are nearest to the gate's."""

    name: str
    """A distortion that the mixture was trained for, or "clean"."""
    level: float | None
    unit: str | None
    levels: tuple[float, float] | None
    """The lowest and the highest level of that distortion whose weights are about as near; the same
    experts may be best for many of its levels."""
    distance: float
    """Between the weights, from 0 to the square root of 2. Experts that serve several distortions
    alike make these hard to tell apart."""


def estimate_distortion(grids: Mapping[str, Grid], weights_E: Sequence[float]) -> Estimate:
    """The nearest row of the tables of optimal weights (Eq. 4), by Euclidean distance.

    Of rows that are equally near the first counts, so that a doubt is decided for the lower level.
    """
    nearest: Estimate | None = None
    for name, grid in grids.items():
        distances_V = np.linalg.norm(np.array(grid.weights) - np.array(weights_E), axis=1)
        row = int(distances_V.argmin())
        if nearest is None or distances_V[row] < nearest.distance:
            nearest = (
                _damaged(name, grid, distances_V)
                if row
                else Estimate(CLEAN, None, None, None, float(distances_V[0]))
            )
    assert nearest is not None  # a manifest has distortions
    return nearest


def _damaged(name: str, grid: Grid, distances_V: NDArray[np.float64]) -> Estimate:
    row = int(distances_V.argmin())
    near = np.flatnonzero(distances_V < distances_V[row] + _AS_NEAR)
    near = near[near > 0]  # the first is the clean level
    levels = grid.levels[near[0]], grid.levels[near[-1]]
    return Estimate(name, grid.levels[row], grid.unit, levels, float(distances_V[row]))
