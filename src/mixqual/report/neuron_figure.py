"""The paper's Figure 3: what single neurons respond to, a row an expert and a column a unit."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from mixqual.artifacts import make_folder, write_atomically, write_json
from mixqual.layout import Table, numbers, to_csv
from mixqual.report.figure_files import write_figure
from mixqual.report.labels import figure_label
from mixqual.report.style import house_style
from mixqual.results.wording import model_label

Neurons = Mapping[str, Any]
"""What `mixqual neurons` found: the content of its fig3.json."""
Images = Mapping[str, NDArray[np.uint8]]
"""Expert to the images (unit, H, W, 3) of its units; those of units that are off are not drawn."""

_DPI = 150
_SMALLEST, _LARGEST = 0.8, 1.5
"""Sides of a cell in inches; between them one pixel of an image is one of the PNG."""
_MOST_DRAWN = 32
_OFF_FILL, _OFF_EDGE, _OFF_TEXT = "#f2f2f2", "#bdbdbd", "#6e6e6e"


@house_style()
def figure_3(neurons: Neurons, images: Images) -> Figure:
    """The images of the units, with how many times its start each activation became.

    Of many units the first ones: a page has no room for all, whose numbers are in the files.
    """
    units, experts = neurons["units"][:_MOST_DRAWN], list(neurons["neurons"])
    side = min(max(neurons["size"] / _DPI, _SMALLEST), _LARGEST)
    figure = Figure(
        figsize=(0.5 + (side + 0.06) * len(units), 0.55 + (side + 0.24) * len(experts)),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0),
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(experts), len(units), squeeze=False)
    for row, expert in enumerate(experts):
        for column, neuron in enumerate(neurons["neurons"][expert][: len(units)]):
            axes = grid[row, column]
            _draw(axes, neuron, images[expert][column])
            if row == 0:
                axes.set_title(f"unit {neuron['unit']}", fontsize=8)
        grid[row, 0].set_ylabel(figure_label(expert), fontsize=11)
    all_units = len(neurons["units"])
    some = f"{len(units)} of {all_units} units, " if all_units > len(units) else ""
    figure.supxlabel(
        f"{neurons['stage']}, {some}{neurons['form']} ascent, {neurons['steps']} steps; "
        "× activation at the start",
        fontsize=8,
    )
    return figure


def neurons_table(neurons: Neurons) -> Table:
    """How many units of each expert are off, and how far the others were raised.

    Of an expert that was fine-tuned from the clean one also how many that turned off, and on.
    """
    rows, records = [], []
    clean = neurons["clean"]
    for expert, found in neurons["neurons"].items():
        living = [neuron["ratio"] for neuron in found if not neuron["off"]]
        ratios = (min(living), statistics.median(living)) if living else ()
        cells = [_times(ratio) for ratio in ratios] or ["–", "–"]
        counts = [str(len(found)), str(len(found) - len(living))]
        if clean:
            turned = [str(count) for count in _turned(neurons["neurons"][clean], found)]
            counts += ["–", "–"] if expert == clean else turned
        rows.append((model_label(expert), *counts, *cells))
        records += [(expert, *(_plain(neuron[field]) for field in _FIELDS)) for neuron in found]
    return Table(
        title=f"{neurons['run']}: neurons of {neurons['stage']}",
        header=(
            *("Expert", "Units", "Off"),
            *(("Turned off", "Turned on") if clean else ()),
            *("Raised at least", "Median"),
        ),
        rows=tuple(rows),
        align=("left", *numbers(6 if clean else 4)),
        fields=("expert", *_FIELDS),
        records=tuple(records),
        notes=(
            f"Off: {neurons['rules']['off']}.",
            *([_TURNED.format(model_label(clean))] if clean else []),
            f"Raised: {neurons['rules']['ratio']}.",
        ),
    )


@house_style()
def write_neurons(neurons: Neurons, images: Images, directory: Path) -> list[Path]:
    """Write fig3.svg, fig3.png, and the numbers as fig3.json and fig3.csv; return their paths.

    Raises `RunError` if the folder cannot be written.
    """
    make_folder(directory)
    write_json(directory / "fig3.json", neurons)
    write_atomically(directory / "fig3.csv", to_csv(neurons_table(neurons)))
    figures = write_figure(figure_3(neurons, images), directory, "fig3")
    return [directory / "fig3.json", directory / "fig3.csv", *figures]


_TURNED = (
    "Turned off by fine-tuning: off here, but not in {0}, from which it began; turned on: off in "
    "{0}, but not here."
)
_FIELDS = ("unit", "start", "end", "ratio", "off")


def _turned(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[int, int]:
    """How many of the same units are off after only, and before only."""
    pairs = [(one["off"], other["off"]) for one, other in zip(before, after, strict=True)]
    return pairs.count((False, True)), pairs.count((True, False))


def _draw(axes: Axes, neuron: Mapping[str, Any], image_HWC: NDArray[np.uint8]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)
    axes.spines[:].set_visible(neuron["off"])
    if neuron["off"]:
        axes.set_facecolor(_OFF_FILL)
        axes.spines[:].set_color(_OFF_EDGE)
        axes.text(
            *(0.5, 0.5, "off"),
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=_OFF_TEXT,
        )
        return
    axes.imshow(image_HWC, interpolation="none")
    axes.set_xlabel(_times(neuron["ratio"]), fontsize=7, labelpad=2)


def _times(ratio: float) -> str:
    return f"×{ratio:,.0f}" if ratio >= 10 else f"×{ratio:.1f}"


def _plain(value: float | bool) -> float | str:
    return str(value).lower() if isinstance(value, bool) else value
