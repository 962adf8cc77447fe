"""Rules of fusion, and the optimal weights."""

from mixqual.fusion.optimal_weights import (
    Solution,
    interpolate_weights,
    objective,
    optimal_weights,
    solve,
)
from mixqual.fusion.rules import average, hard_mix, maximum, mix

__all__ = [
    "Solution",
    "average",
    "hard_mix",
    "interpolate_weights",
    "maximum",
    "mix",
    "objective",
    "optimal_weights",
    "solve",
]
