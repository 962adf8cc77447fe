"""Reports: tables and figures as pure functions of a run's `results.json`, and their files."""

from mixqual.report.catalogue import make, make_across, names, report_tables
from mixqual.report.comparison import label_runs
from mixqual.report.comparison_figure import comparison_figure
from mixqual.report.comparison_table import comparison_table
from mixqual.report.cost_figure import figure_costs
from mixqual.report.data_check import data_check_tables
from mixqual.report.differences import Difference, difference
from mixqual.report.example_figure import figure_1
from mixqual.report.figures import figure_2, figure_4, figure_5
from mixqual.report.floors import check_floors, floor_keeps, missed_floors, parse_floors
from mixqual.report.headline import headline
from mixqual.report.kept_table import kept_table
from mixqual.report.latex import latex_page, to_latex
from mixqual.report.neuron_figure import figure_3, neurons_table, write_neurons
from mixqual.report.resilience import corruption_table, resilience_table, write_csv
from mixqual.report.resilience_figure import check_figure_path, draw_resilience
from mixqual.report.shipping import front_table
from mixqual.report.structure_figure import figure_6
from mixqual.report.tables import (
    accuracy_csv,
    auc_table,
    comparisons_table,
    distortions_table,
    weights_csv,
)
from mixqual.report.trees import tree_tables
from mixqual.report.variants import cost_table
from mixqual.report.writer import (
    TABLE_FORMATS,
    check_replaces_report,
    check_report_place,
    draw_figures,
    write_comparison,
    write_one,
    write_report,
)

__all__ = [
    "TABLE_FORMATS",
    "Difference",
    "accuracy_csv",
    "auc_table",
    "check_figure_path",
    "check_floors",
    "check_replaces_report",
    "check_report_place",
    "comparison_figure",
    "comparison_table",
    "comparisons_table",
    "corruption_table",
    "cost_table",
    "data_check_tables",
    "difference",
    "distortions_table",
    "draw_figures",
    "draw_resilience",
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_5",
    "figure_6",
    "figure_costs",
    "floor_keeps",
    "front_table",
    "headline",
    "kept_table",
    "label_runs",
    "latex_page",
    "make",
    "make_across",
    "missed_floors",
    "names",
    "neurons_table",
    "parse_floors",
    "report_tables",
    "resilience_table",
    "to_latex",
    "tree_tables",
    "weights_csv",
    "write_comparison",
    "write_csv",
    "write_neurons",
    "write_one",
    "write_report",
]
