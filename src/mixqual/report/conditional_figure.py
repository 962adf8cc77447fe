"""The figure of conditional inference: average AUC against the MACs of each threshold."""

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mixqual.report.labels import figure_label
from mixqual.report.style import house_style, line_styles
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE

_GIGA = 1e9


@house_style()
def figure_conditional(results: Results) -> Figure | None:
    """M_mix at every threshold, the chosen one with its 95 % interval, and models beside it.

    None of results that are older than conditional inference.
    """
    if not results.get("conditional"):
        return None
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_models(axes, results)
    _draw_curve(axes, results)
    axes.set_xlabel("MACs an image (billions)")
    axes.set_ylabel("Average AUC")
    axes.set_xlim(left=0)
    axes.margins(x=0.08, y=0.12)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _draw_models(axes: Axes, results: Results) -> None:
    """The single networks that one would take instead, and both ends of the curve."""
    styles = line_styles(results)
    for model in (*results["baselines"], "hardmix", "mix"):
        axes.plot(
            [results["cost"][model]["macs"] / _GIGA],
            [results["auc"][model][AVERAGE]["auc"]],
            color=styles[model].color,
            linestyle="none",
            marker=styles[model].marker,
            markersize=6,
            label=figure_label(model),
        )


def _draw_curve(axes: Axes, results: Results) -> None:
    found = results["conditional"]
    curve, chosen = found["curve"], found["chosen"]
    color = line_styles(results)["mix"].color
    axes.plot(
        [row["macs"] / _GIGA for row in curve],
        [row["auc"] for row in curve],
        color=color,
        linewidth=1.0,
        marker=".",
        label="experts that pass τ",
        zorder=1.5,  # below the models at its ends
    )
    x, y = chosen["macs"] / _GIGA, chosen["auc"]
    low, high = chosen["ci95"]
    axes.errorbar(
        [x],
        [y],
        [[y - low], [high - y]],
        color="#1a1a1a",
        marker="o",
        markersize=8,
        markerfacecolor="none",
        elinewidth=0.7,
        linestyle="none",
        label=f"chosen: τ = {chosen['tau']:g}",
    )
