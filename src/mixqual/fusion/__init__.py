"""Rules of fusion, and the optimal weights."""

from mixqual.evaluation import Answers, Correct, level_rows
from mixqual.fusion.mixed_features import minimise_on_simplex
from mixqual.fusion.optimal_weights import (
    Solution,
    interpolate_weights,
    objective,
    optimal_weights,
    solve,
)
from mixqual.fusion.rules import average, conditional, hard_mix, maximum, mix
from mixqual.fusion.scores import (
    Measured,
    Scores,
    answers_in,
    right_answers,
    score,
)
from mixqual.results.names import CEILINGS, ENSEMBLES

__all__ = [
    "CEILINGS",
    "ENSEMBLES",
    "Answers",
    "Correct",
    "Measured",
    "Scores",
    "Solution",
    "answers_in",
    "average",
    "conditional",
    "hard_mix",
    "interpolate_weights",
    "level_rows",
    "maximum",
    "minimise_on_simplex",
    "mix",
    "objective",
    "optimal_weights",
    "right_answers",
    "score",
    "solve",
]
