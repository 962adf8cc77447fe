"""The figure of how the time of a sweep grows, from the rows of the benchmark `scaling`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mixqual.bench.scaling import fit_power
from mixqual.report.style import house_style


@house_style()
def figure_scaling(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each row with a curve: its points, the fitted power law, and what is linear.

    Linear is what goes through the first point.
    """
    curves = [row for row in rows if row["curve"]]
    figure = Figure(figsize=(2.3 * len(curves), 2.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, row in zip(panels, curves, strict=True):
        _draw(axes, row["what"].rpartition(" of ")[2], row["curve"])
    panels[0].set_ylabel("Seconds of a sweep")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _draw(axes: Axes, amount: str, curve: Sequence[tuple[float, float]]) -> None:
    exponent, constant = fit_power(curve)
    amounts_P, seconds_P = np.array(curve).T
    ends = np.array([amounts_P.min(), amounts_P.max()])
    linear = ends * seconds_P[0] / amounts_P[0]
    axes.plot(ends, linear, color="#8C8C8C", linestyle=":", label="linear")
    axes.plot(ends, constant * ends**exponent, color="#0072B2", label="fitted")
    axes.plot(amounts_P, seconds_P, color="#D55E00", linestyle="none", marker="o", label="measured")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis, values in ((axes.xaxis, amounts_P), (axes.yaxis, seconds_P)):
        axis.set_ticks(values, [f"{value:.3g}" for value in values])
        axis.set_ticks([], minor=True)
    axes.set_xlabel(amount.strip("()"))
    axes.set_title(f"exponent {exponent:.2f}".replace("-", "−"), fontsize=9)
