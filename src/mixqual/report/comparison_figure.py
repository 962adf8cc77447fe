"""Several runs in one figure: average AUC against cost, a row of panels for each run."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from mixqual.report.comparison import Run, columns_of
from mixqual.report.cost_figure import COST_AXES, cost_models, draw_costs
from mixqual.report.figure_text import drawable
from mixqual.report.style import house_style, line_styles
from mixqual.results.names import AVERAGE

_GHOSTS: dict[str, Any] = {
    "color": "#c4c4c4",
    "linestyle": "none",
    "marker": "o",
    "markersize": 3.5,
}


@house_style()
def comparison_figure(runs: Sequence[Run]) -> Figure:
    """Average AUC against parameters and against MACs; bars are 95 % intervals over test images.

    All panels have the same axes, and what other runs have there is grey, where it is an average
    over the same distortions and levels.
    """
    averages = [column for column in columns_of(runs) if column.name == AVERAGE]
    models = list(dict.fromkeys(model for run in runs for model in run.results["models"]))
    styles = line_styles({"models": models})
    figure = Figure(
        figsize=(7.2, 0.6 + 2.6 * len(runs)), layout=ConstrainedLayoutEngine(w_pad=0.06)
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(runs), 2, sharex="col", sharey=True, squeeze=False)
    legend = dict[str, Artist]()
    for run, row in zip(runs, grid, strict=True):
        comparable = next(column.runs for column in averages if run.label in column.runs)
        others = [other for other in runs if other.label in comparable and other != run]
        for axes, (field, label, divisor) in zip(row, COST_AXES, strict=True):
            for other in others:
                _draw_ghosts(axes, other, field, divisor)
            legend |= draw_costs(axes, run.results, styles, field, divisor)
            axes.margins(x=0.08, y=0.12)
            axes.set_xlim(left=0)
            if run is runs[-1]:
                axes.set_xlabel(label)
        row[0].set_ylabel("Average AUC")
        row[0].set_title(drawable(run.label), fontsize=9, fontweight="bold", loc="left")
    legend["other runs"] = Line2D([], [], **_GHOSTS)
    figure.legend(
        list(legend.values()), list(legend), loc="outside upper center", ncols=min(4, len(legend))
    )
    return figure


def _draw_ghosts(axes: Axes, run: Run, field: str, divisor: float) -> None:
    trees = [tree["model"] for tree in run.results.get("trees", [])]
    models = [*cost_models(run.results), *trees]
    costs = [run.results["cost"][model][field] / divisor for model in models]
    areas = [run.results["auc"][model][AVERAGE]["auc"] for model in models]
    axes.plot(costs, areas, label=f"other run: {run.label}", **_GHOSTS)
