"""The curves of `mixqual evaluate` as a figure: one panel a distortion, with its area."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from mixqual.artifacts import refusing_full_disk, write_atomically
from mixqual.errors import RunError
from mixqual.report.figure_files import FORMATS, figure_bytes
from mixqual.report.labels import distortion_title, level_title
from mixqual.report.style import house_style, line_styles
from mixqual.results.lookups import Results
from mixqual.results.names import level_key

_COLUMNS = 3
_BAND = 0.14


@house_style()
def resilience_figure(results: Results) -> Figure:
    """Accuracy against level with its 95 % interval, three panels a row."""
    names = list(results["distortions"])
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    figure = Figure(
        figsize=(0.4 + 3.4 * columns, 0.2 + 2.7 * rows),
        layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
    )
    FigureCanvasAgg(figure)
    styles = line_styles(results)
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        levels = results["distortions"][name]["levels"]
        keys = [level_key(level) for level in levels]
        areas = []
        for model in results["models"]:
            style = styles[model]
            accuracy = [results["accuracy"][model][name][key] for key in keys]
            intervals = [results["accuracy_ci95"][model][name][key] for key in keys]
            low, high = zip(*intervals, strict=True)
            axes.fill_between(levels, low, high, color=style.color, alpha=_BAND, linewidth=0)
            axes.plot(levels, accuracy, color=style.color, marker=style.marker, label=model)
            areas.append(f"{results['auc'][model][name]['auc']:.3f}")
        axes.set_title(f"{distortion_title(name)}, AUC {', '.join(areas)}", fontsize=9)
        axes.set_xlabel(level_title(results, name))
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
        axes.margins(x=0.02)
        if place % columns == 0:
            axes.set_ylabel("Accuracy (%)")
        else:
            axes.tick_params(labelleft=False)
        if levels[-1] < levels[0]:  # damage grows to the right, whichever way its level goes
            axes.invert_xaxis()
    return figure


def check_figure_path(path: Path) -> None:
    """Raise `RunError` unless a figure's name ends in a format that can be drawn."""
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        endings = ", ".join(f".{kind}" for kind in FORMATS)
        raise RunError(f"figure {str(path)!r}: its name must end in one of {endings}")


def draw_resilience(results: Results, path: Path) -> None:
    """Write the figure as .svg, .png or .pdf; equal results give equal bytes.

    Raises `RunError` for another format, or if the file cannot be written.
    """
    check_figure_path(path)
    content = figure_bytes(resilience_figure(results), path.suffix.lower().removeprefix("."))
    with refusing_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
