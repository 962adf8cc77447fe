"""The paper's Figures 2, 4 and 5 for a run, one panel per distortion."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator, PercentFormatter

from mixqual.artifacts import write_atomically
from mixqual.report.labels import Results, figure_label, level_key, level_title, main_baseline
from mixqual.report.style import LineStyle, house_style, line_styles

_COLUMNS = 3
_DPI = 150


def figure_2(results: Results) -> Figure:
    """Accuracy of the single networks against level: every expert, and M_all."""
    baseline = main_baseline(results)
    models = [*results["experts"], *([baseline] if baseline else [])]
    return _accuracy_figure(results, models)


def figure_5(results: Results) -> Figure:
    """Accuracy of the ensembles against level, with M_all.

    M_max is left out: it lies close to M_avg, and is in the tables.
    """
    baseline = main_baseline(results)
    models = ["avg", *([baseline] if baseline else []), "hardmix", "mix"]
    return _accuracy_figure(results, models)


def figure_4(results: Results) -> Figure:
    """Optimal weights against level (markers), and what the gate makes of test images (lines)."""
    styles = line_styles(results)

    def draw(axes: Axes, name: str) -> None:
        levels = results["distortions"][name]["levels"]
        keys = [level_key(level) for level in levels]
        tables = [results[table][name] for table in ("weights", "gate_weights", "gate_weights_std")]
        for expert in results["experts"]:
            style = styles[expert]
            optimal, mean, spread = ([table[key][expert] for key in keys] for table in tables)
            low = [max(0.0, m - s) for m, s in zip(mean, spread, strict=True)]
            high = [min(1.0, m + s) for m, s in zip(mean, spread, strict=True)]
            axes.fill_between(levels, low, high, color=style.color, alpha=0.15, linewidth=0)
            axes.plot(
                levels, mean, color=style.color, linestyle=style.line, label=f"gate, {expert}"
            )
            axes.plot(
                levels,
                optimal,
                linestyle="none",
                marker=style.marker,
                markersize=5.5,
                markerfacecolor="white",
                markeredgecolor=style.color,
                markeredgewidth=1.3,
                label=f"optimal, {expert}",
            )
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_locator(MultipleLocator(0.2))

    experts = [_handle(styles[name], figure_label(name)) for name in results["experts"]]
    grey = "#4d4d4d"
    optimal = Line2D(
        [], [], linestyle="none", marker="o", markerfacecolor="white", markeredgecolor=grey
    )
    gate = (Patch(color=grey, alpha=0.2, linewidth=0), Line2D([], [], color=grey))
    with house_style():
        return _panels(
            results,
            draw,
            "Weight of an expert",
            [*experts, optimal, gate],
            [
                *(figure_label(name) for name in results["experts"]),
                "optimal weight",
                "gate, mean ± std over images",
            ],
        )


def draw_figures(results: Results, directory: Path) -> list[Path]:
    """Write fig2, fig4 and fig5 as SVG and PNG; equal results give equal bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in (("fig2", figure_2), ("fig4", figure_4), ("fig5", figure_5)):
        with house_style():
            figure = make(results)
            # A date or a version in the file would make every drawing differ.
            for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                content = io.BytesIO()
                figure.savefig(content, format=kind, dpi=_DPI, metadata=metadata)
                path = directory / f"{name}.{kind}"
                write_atomically(path, content.getvalue())
                paths.append(path)
    return paths


def _accuracy_figure(results: Results, models: Sequence[str]) -> Figure:
    styles = line_styles(results)

    def draw(axes: Axes, name: str) -> None:
        levels = results["distortions"][name]["levels"]
        keys = [level_key(level) for level in levels]
        for model in models:
            style = styles[model]
            accuracy, intervals = (
                [results[table][model][name][key] for key in keys]
                for table in ("accuracy", "accuracy_ci95")
            )
            low, high = zip(*intervals, strict=True)
            axes.fill_between(levels, low, high, color=style.color, alpha=0.13, linewidth=0)
            axes.plot(
                levels,
                accuracy,
                color=style.color,
                linestyle=style.line,
                marker=style.marker,
                markeredgecolor="white",
                markeredgewidth=0.5,
                label=figure_label(model),
            )
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_locator(MultipleLocator(0.2))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))

    labels = [figure_label(model) for model in models]
    handles = [_handle(styles[m], label) for m, label in zip(models, labels, strict=True)]
    with house_style():
        return _panels(results, draw, "Accuracy (%)", handles, labels)


def _panels(
    results: Results,
    draw: Callable[[Axes, str], None],
    ylabel: str,
    handles: Sequence[Artist | tuple[Artist, ...]],
    labels: Sequence[str],
) -> Figure:
    """Panels side by side, three at most, under one legend."""
    names = list(results["distortions"])
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    width = 0.4 + 3.4 * columns
    figure = Figure(figsize=(width, 0.5 + 2.8 * rows), layout="constrained")
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
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(len(labels), int(width / 1.1))
    )
    return figure


def _handle(style: LineStyle, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=style.color,
        linestyle=style.line,
        marker=style.marker,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=label,
    )
