"""The sweep and its cube; curves, areas and intervals; cost."""

from mixqual.confidence import Verdicts, with_temperature
from mixqual.evaluation.areas import (
    Answers,
    Correct,
    Scored,
    accuracy_tables,
    comparisons,
    corruption_errors,
    intervals,
    level_rows,
)
from mixqual.evaluation.bounded_parts import BLOCK, PART_BYTES, parts_of
from mixqual.evaluation.calibration import HELD_BYTES, find_verdicts, fit_temperature, risk_coverage
from mixqual.evaluation.cell_tables import confusion_tables, kept_tables, metric_tables
from mixqual.evaluation.choice import Candidate, Interval, choose_candidate, pareto_front
from mixqual.evaluation.confusion import confusion_matrix
from mixqual.evaluation.corruption_error import ErrorRates, corruption_error_results
from mixqual.evaluation.cost import Cost, count, count_parts, kept_bytes
from mixqual.evaluation.cube import Cube, Predicted, grid_cells
from mixqual.evaluation.curves import AccuracyCurve, Bootstrap, auc, auc_weights
from mixqual.evaluation.kept_levels import kept_interval, kept_level
from mixqual.evaluation.latency import Latency, beside, time_in_turn
from mixqual.evaluation.metrics import METRICS, Answered, measure, measure_answers
from mixqual.evaluation.outputs import CLEAN_CELL, Cell, DamagedArray, OutputArray
from mixqual.evaluation.sweep import Predictor, distort_cell, distorted_batches, draw_seed, sweep
from mixqual.evaluation.trainings import interval_over_trainings
from mixqual.keep import Keep
from mixqual.results.names import CLEAN

__all__ = [
    "BLOCK",
    "CLEAN",
    "CLEAN_CELL",
    "HELD_BYTES",
    "METRICS",
    "PART_BYTES",
    "AccuracyCurve",
    "Answered",
    "Answers",
    "Bootstrap",
    "Candidate",
    "Cell",
    "Correct",
    "Cost",
    "Cube",
    "DamagedArray",
    "ErrorRates",
    "Interval",
    "Keep",
    "Latency",
    "OutputArray",
    "Predicted",
    "Predictor",
    "Scored",
    "Verdicts",
    "accuracy_tables",
    "auc",
    "auc_weights",
    "beside",
    "choose_candidate",
    "comparisons",
    "confusion_matrix",
    "confusion_tables",
    "corruption_error_results",
    "corruption_errors",
    "count",
    "count_parts",
    "distort_cell",
    "distorted_batches",
    "draw_seed",
    "find_verdicts",
    "fit_temperature",
    "grid_cells",
    "interval_over_trainings",
    "intervals",
    "kept_bytes",
    "kept_interval",
    "kept_level",
    "kept_tables",
    "level_rows",
    "measure",
    "measure_answers",
    "metric_tables",
    "pareto_front",
    "parts_of",
    "risk_coverage",
    "sweep",
    "time_in_turn",
    "with_temperature",
]
