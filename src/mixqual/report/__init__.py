"""Reports: tables and figures as pure functions of a run's `results.json`, and their files."""

from mixqual.report.cost_figure import figure_costs
from mixqual.report.differences import Difference, difference
from mixqual.report.figures import draw_figures, figure_2, figure_4, figure_5
from mixqual.report.headline import headline
from mixqual.report.labels import level_key
from mixqual.report.layout import Table, to_csv, to_markdown, to_rich
from mixqual.report.resilience import resilience_table
from mixqual.report.tables import accuracy_csv, auc_table, comparisons_table, weights_csv
from mixqual.report.trees import tree_tables
from mixqual.report.variants import cost_table
from mixqual.report.writer import write_report

__all__ = [
    "Difference",
    "Table",
    "accuracy_csv",
    "auc_table",
    "comparisons_table",
    "cost_table",
    "difference",
    "draw_figures",
    "figure_2",
    "figure_4",
    "figure_5",
    "figure_costs",
    "headline",
    "level_key",
    "resilience_table",
    "to_csv",
    "to_markdown",
    "to_rich",
    "tree_tables",
    "weights_csv",
    "write_report",
]
