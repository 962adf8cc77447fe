"""The paper's Figures 2, 4 and 5 for a run, one panel per distortion."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from mixqual.report.labels import figure_label, level_title, main_baseline
from mixqual.report.style import LineStyle, house_style, line_styles
from mixqual.results.lookups import Results
from mixqual.results.names import level_key

_COLUMNS = 3
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_GREY = "#4d4d4d"
_BAND = 0.14
"""Opacity of the bands: four of them over each other must still be told apart."""


@house_style()
def figure_2(results: Results) -> Figure:
    """Accuracy of the single networks against level: every expert, and M_all."""
    return _accuracy_figure(results, [*results["experts"], *_baseline(results)])


@house_style()
def figure_5(results: Results) -> Figure:
    """Accuracy of the ensembles against level, with M_all.

    M_max is left out: it lies close to M_avg, and is in the tables.
    """
    return _accuracy_figure(results, ["avg", *_baseline(results), "hardmix", "mix"])


@house_style()
def figure_4(results: Results) -> Figure:
    """Optimal weights against level (markers), and what the gate makes of test images (lines)."""
    styles = line_styles(results)

    def draw(axes: Axes, name: str) -> None:
        levels, keys = _levels(results, name)
        tables = [results[table][name] for table in ("weights", "gate_weights", "gate_weights_std")]
        for expert in results["experts"]:
            style = styles[expert]
            optimal, mean, spread = ([table[key][expert] for key in keys] for table in tables)
            low = [max(0.0, m - s) for m, s in zip(mean, spread, strict=True)]
            high = [min(1.0, m + s) for m, s in zip(mean, spread, strict=True)]
            axes.fill_between(levels, low, high, color=style.color, alpha=_BAND, linewidth=0)
            axes.plot(
                levels, mean, color=style.color, linestyle=style.line, label=f"gate, {expert}"
            )
            hollow = _hollow(style.marker, style.color)
            axes.plot(levels, optimal, **hollow, label=f"optimal, {expert}")
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks(_TICKS)

    legend: dict[str, Artist] = {
        figure_label(name): _sample(styles[name]) for name in results["experts"]
    }
    legend["optimal weight"] = Line2D([], [], **_hollow("o", _GREY))
    legend["gate, mean"] = Line2D([], [], color=_GREY)
    legend["± std over images"] = _sample_of_band()
    return _panels(results, draw, "Weight in the mixture", legend)


def _accuracy_figure(results: Results, models: Sequence[str]) -> Figure:
    styles = line_styles(results)

    def draw(axes: Axes, name: str) -> None:
        levels, keys = _levels(results, name)
        for model in models:
            style = styles[model]
            accuracy = [results["accuracy"][model][name][key] for key in keys]
            intervals = [results["accuracy_ci95"][model][name][key] for key in keys]
            low, high = zip(*intervals, strict=True)
            axes.fill_between(levels, low, high, color=style.color, alpha=_BAND, linewidth=0)
            axes.plot(levels, accuracy, **_solid(style), label=model)
        axes.set_ylim(0, 1)
        axes.set_yticks(_TICKS)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))

    legend: dict[str, Artist] = {figure_label(model): _sample(styles[model]) for model in models}
    legend["95 % interval"] = _sample_of_band()
    return _panels(results, draw, "Accuracy (%)", legend)


def _baseline(results: Results) -> list[str]:
    baseline = main_baseline(results)
    return [baseline] if baseline else []


def _levels(results: Results, distortion: str) -> tuple[list[float], list[str]]:
    levels = results["distortions"][distortion]["levels"]
    return levels, [level_key(level) for level in levels]


def _panels(
    results: Results,
    draw: Callable[[Axes, str], None],
    ylabel: str,
    legend: Mapping[str, Artist],
) -> Figure:
    """Panels side by side, three at most, under one legend."""
    names = list(results["distortions"])
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    width = 0.4 + 3.4 * columns
    figure = Figure(figsize=(width, 0.1 + 2.8 * rows), layout=ConstrainedLayoutEngine(w_pad=0.06))
    FigureCanvasAgg(figure)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        draw(axes, name)
        axes.set_xlabel(level_title(results, name))
        if index % columns == 0:
            axes.set_ylabel(ylabel)
        else:
            axes.tick_params(labelleft=False)
        axes.margins(x=0.02)
        levels = results["distortions"][name]["levels"]
        if levels[-1] < levels[0]:  # damage grows to the right, whichever way its level goes
            axes.invert_xaxis()
    _add_legend(figure, list(legend.values()), list(legend))
    return figure


def _add_legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Put a legend above the panels, in as few rows as fit, filled row by row."""
    for rows in range(1, len(labels) + 1):
        columns = -(-len(labels) // rows)
        # Matplotlib fills column by column.
        order = [item for column in range(columns) for item in range(column, len(labels), columns)]
        legend = figure.legend(
            [handles[item] for item in order],
            [labels[item] for item in order],
            loc="outside upper center",
            ncols=columns,
        )
        area = legend.get_window_extent()
        if area.width <= figure.bbox.width or columns == 1:
            # Or the panels would have to give up that much of their height.
            figure.set_figheight(figure.get_figheight() + area.height / figure.dpi)
            return
        legend.remove()


def _solid(style: LineStyle) -> dict[str, Any]:
    return {
        "color": style.color,
        "linestyle": style.line,
        "marker": style.marker,
        "markeredgecolor": "white",  # parts markers that touch
        "markeredgewidth": 0.5,
    }


def _hollow(marker: str, color: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": marker,
        "markersize": 5.5,
        "markerfacecolor": "white",
        "markeredgecolor": color,
        "markeredgewidth": 1.3,
    }


def _sample(style: LineStyle) -> Line2D:
    """What a legend shows of a curve."""
    return Line2D([], [], **_solid(style))


def _sample_of_band() -> Patch:
    return Patch(color=_GREY, alpha=0.2, linewidth=0)
