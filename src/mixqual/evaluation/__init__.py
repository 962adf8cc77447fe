"""The sweep and its cube; curves, areas and intervals; cost."""

from mixqual.evaluation.cost import Cost, count, count_parts, latency_ms
from mixqual.evaluation.cube import CLEAN, CLEAN_CELL, Cell, Cube, OutputArray, grid_cells
from mixqual.evaluation.curves import AccuracyCurve, Bootstrap, auc, auc_weights
from mixqual.evaluation.sweep import Predictor, distort_cell, sweep

__all__ = [
    "CLEAN",
    "CLEAN_CELL",
    "AccuracyCurve",
    "Bootstrap",
    "Cell",
    "Cost",
    "Cube",
    "OutputArray",
    "Predictor",
    "auc",
    "auc_weights",
    "count",
    "count_parts",
    "distort_cell",
    "grid_cells",
    "latency_ms",
    "sweep",
]
