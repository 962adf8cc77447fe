"""Rules of fusion, and the optimal weights."""

from mixqual.fusion.mixed_features import minimise_on_simplex
from mixqual.fusion.optimal_weights import (
    Solution,
    interpolate_weights,
    objective,
    optimal_weights,
    solve,
)
from mixqual.fusion.rules import average, hard_mix, maximum, mix
from mixqual.fusion.scores import (
    CEILINGS,
    ENSEMBLES,
    Correct,
    level_rows,
    measure_models,
    score,
)

__all__ = [
    "CEILINGS",
    "ENSEMBLES",
    "Correct",
    "Solution",
    "average",
    "hard_mix",
    "interpolate_weights",
    "level_rows",
    "maximum",
    "measure_models",
    "minimise_on_simplex",
    "mix",
    "objective",
    "optimal_weights",
    "score",
    "solve",
]
