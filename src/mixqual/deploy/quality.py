"""What has happened to an image, read off the weights that the gate gives to the experts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from mixqual.deploy.manifest import Grid

CLEAN = "clean"


@final
@dataclass(frozen=True)
class Estimate:
    """The distortion and level whose optimal weights are nearest to the gate's."""

    name: str
    """A distortion that the mixture was trained for, or "clean"."""
    level: float | None
    unit: str | None
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
            distance = float(distances_V[row])
            nearest = (
                Estimate(name, grid.levels[row], grid.unit, distance)
                if row
                else Estimate(CLEAN, None, None, distance)
            )
    assert nearest is not None  # a manifest has distortions
    return nearest
