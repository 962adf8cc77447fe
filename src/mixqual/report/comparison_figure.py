"""Several runs in one figure: average AUC against cost, a colour a model and a marker a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mixqual.report.comparison import Column, Run, columns_of
from mixqual.report.labels import AVERAGE, figure_label, kind_of
from mixqual.report.style import house_style, line_styles

_COSTS = (("params", "Parameters (millions)", 1e6), ("macs", "MACs an image (billions)", 1e9))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_GREY = "#4d4d4d"


@house_style()
def comparison_figure(runs: Sequence[Run]) -> Figure:
    """Average AUC against parameters and MACs, with 95 % intervals over the test images.

    Runs whose averages are over other distortions or levels have panels of their own. Averaging
    ensembles, controls and ceilings are in the table alone.
    """
    averages = [column for column in columns_of(runs) if column.name == AVERAGE]
    models = list(dict.fromkeys(model for run in runs for model in _models(run)))
    colors = {name: style.color for name, style in line_styles({"models": models}).items()}
    markers = {run.label: _MARKERS[place % len(_MARKERS)] for place, run in enumerate(runs)}
    figure = Figure(figsize=(7.2, 3.0 * len(averages)), layout=ConstrainedLayoutEngine(w_pad=0.06))
    FigureCanvasAgg(figure)
    for row, average in enumerate(averages):
        for place, (field, label, divisor) in enumerate(_COSTS):
            axes = figure.add_subplot(len(averages), 2, 2 * row + place + 1)
            for run in runs:
                if run.label in average.runs:
                    _draw(axes, run, field, divisor, colors, markers[run.label])
            axes.set_xlabel(label)
            axes.set_xlim(left=0)
            axes.margins(x=0.08, y=0.1)
            if place:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(_ylabel(average, averages))
    legend: dict[str, Artist] = {
        run.label.replace("$", r"\$"): Line2D([], [], **_look(_GREY, markers[run.label]))
        for run in runs
    }
    legend |= {figure_label(model): Patch(color=colors[model], linewidth=0) for model in models}
    figure.legend(
        list(legend.values()), list(legend), loc="outside upper center", ncols=min(4, len(legend))
    )
    return figure


def _models(run: Run) -> list[str]:
    drawn = [
        model
        for model in run.results["models"]
        if kind_of(run.results, model) in ("expert", "baseline", "tree")
    ]
    return [*drawn, "hardmix", "mix"]


def _draw(
    axes: Axes, run: Run, field: str, divisor: float, colors: Mapping[str, str], marker: str
) -> None:
    for model in _models(run):
        area = run.results["auc"][model][AVERAGE]
        low, high = area["ci95"]
        axes.errorbar(
            [run.results["cost"][model][field] / divisor],
            [area["auc"]],
            [[area["auc"] - low], [high - area["auc"]]],
            elinewidth=0.7,
            label=f"{run.label}: {model}",
            **_look(colors[model], marker),
        )


def _look(color: str, marker: str) -> dict[str, Any]:
    """Hollow, so that equal points of two runs are both seen."""
    return {
        "color": color,
        "linestyle": "none",
        "marker": marker,
        "markerfacecolor": "none",
        "markeredgecolor": color,
        "markeredgewidth": 1.3,
        "markersize": 5.5,
    }


def _ylabel(average: Column, averages: Sequence[Column]) -> str:
    if len(averages) == 1:
        return "Average AUC"
    return f"Average AUC\n({', '.join(average.runs)})".replace("$", r"\$")
