"""Accuracy against cost: trees of every branch point beside the single networks and M_mix."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from mixqual.report.labels import figure_label, kind_of
from mixqual.report.style import LineStyle, house_style, line_styles
from mixqual.report.trees import branch_point
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE

COST_AXES = (
    ("params", "Parameters (millions)", 1e6),
    ("macs", "MACs an image (billions)", 1e9),
)
"""Field of the costs, label, divisor."""

_KINDS = {
    "treenet": ("TreeNets", LineStyle("#7a7a7a", "^", (4, 1.5))),
    "inverted": ("Inverted-TreeNets", LineStyle("#1a1a1a", "v")),
    "both": ("shared before and after", LineStyle("#7a7a7a", "D", (1.5, 1.2))),
}


@house_style()
def figure_costs(results: Results) -> Figure | None:
    """Average AUC against parameters and against MACs; bars are 95 % intervals.

    None if the run has no trees.
    """
    if not results.get("trees"):
        return None
    figure = Figure(figsize=(7.2, 3.4), layout=ConstrainedLayoutEngine(w_pad=0.06))
    FigureCanvasAgg(figure)
    legend = dict[str, Artist]()
    for column, (field, label, divisor) in enumerate(COST_AXES):
        axes = figure.add_subplot(1, 2, column + 1)
        legend |= draw_costs(axes, results, line_styles(results), field, divisor)
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        axes.margins(x=0.08, y=0.12)
        if column == 0:
            axes.set_ylabel("Average AUC")
        else:
            axes.tick_params(labelleft=False)
    figure.legend(
        list(legend.values()), list(legend), loc="outside upper center", ncols=min(4, len(legend))
    )
    return figure


def draw_costs(
    axes: Axes, results: Results, styles: Mapping[str, LineStyle], field: str, divisor: float
) -> dict[str, Artist]:
    """Draw the models of a run against one cost, and return what a legend says of them."""
    legend = dict[str, Artist]()
    for kind, (title, style) in _KINDS.items():
        trees = _trees(results, kind)
        if trees:
            _draw(axes, results, [t["model"] for t in trees], field, divisor, _hollow(style))
            _annotate(axes, results, trees, field, divisor, above=kind != "treenet")
            legend[title] = Line2D([], [], **_hollow(style))
    for model in cost_models(results):
        look = _filled(styles[model])
        _draw(axes, results, [model], field, divisor, look)
        legend[figure_label(model)] = Line2D([], [], **look)
    return legend


def _trees(results: Results, kind: str) -> list[Mapping[str, Any]]:
    """The trees of a kind, the cheapest first."""
    trees = [tree for tree in results.get("trees", []) if tree["kind"] == kind]
    return sorted(trees, key=lambda tree: int(results["cost"][tree["model"]]["params"]))


def cost_models(results: Results) -> list[str]:
    """The models that are drawn beside trees."""
    single = [m for m in results["models"] if kind_of(results, m) in ("expert", "baseline")]
    return [*single, "hardmix", "mix"]


def _draw(
    axes: Axes,
    results: Results,
    models: Sequence[str],
    field: str,
    divisor: float,
    look: Mapping[str, Any],
) -> None:
    areas = [results["auc"][model][AVERAGE] for model in models]
    values = [area["auc"] for area in areas]
    below = [area["auc"] - area["ci95"][0] for area in areas]
    above = [area["ci95"][1] - area["auc"] for area in areas]
    costs = [results["cost"][model][field] / divisor for model in models]
    axes.errorbar(costs, values, [below, above], elinewidth=0.7, **look)


def _annotate(
    axes: Axes,
    results: Results,
    trees: Sequence[Mapping[str, Any]],
    field: str,
    divisor: float,
    above: bool,
) -> None:
    for tree in trees:
        model = tree["model"]
        own = " *" if tree["weights"] == "resolve" else ""
        note = axes.annotate(
            branch_point(tree) + own,
            (results["cost"][model][field] / divisor, results["auc"][model][AVERAGE]["auc"]),
            xytext=(3, 4 if above else -4),
            textcoords="offset points",
            rotation=45 if above else -45,
            rotation_mode="anchor",
            va="center",
            fontsize=6.5,
            color="#4d4d4d",
        )
        note.set_in_layout(False)  # or long names would squeeze the panels


def _hollow(style: LineStyle) -> dict[str, Any]:
    """Trees: lines from branch point to branch point."""
    return {
        "color": style.color,
        "linestyle": style.line,
        "linewidth": 1.0,
        "marker": style.marker,
        "markerfacecolor": "white",
    }


def _filled(style: LineStyle) -> dict[str, Any]:
    """All other models, in the colour that they have everywhere."""
    return {
        "color": style.color,
        "linestyle": "none",
        "marker": style.marker,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }
