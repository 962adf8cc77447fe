"""Panels of risk against coverage: how much fewer errors the surest answers have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill
from typing import Any, final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

_BESIDE, _SIDE = 3, 2.6
_LETTERS = 30  # of a title, to the width of a panel
_LABELS = ("usable up to here", "retake from here")
_BORDER, _DASHES = "#5f5f5f", ((4, 2), (1, 1.5))
_THIN = 1.0


@final
@dataclass(frozen=True)
class RiskPanel:
    """What one panel shows: the curve of a model, and where its verdicts part it."""

    title: str
    told: Mapping[str, Any]
    """The model's row of `trust` in results."""
    group: str
    """A distortion, or an average."""
    beside: Mapping[str, Any] | None = None
    """The row of another model, whose curve is drawn as a thin line."""


@final
@dataclass(frozen=True)
class Look:
    """A model in every panel."""

    label: str
    color: str


def risk_figure(panels: Sequence[RiskPanel], look: Look, beside: Look | None = None) -> Figure:
    """Draw the panels in rows; the looks are those of their models, and of the ones beside."""
    columns = min(_BESIDE, len(panels))
    rows = ceil(len(panels) / columns)
    figure = Figure(
        figsize=(_SIDE * columns + 0.4, (_SIDE - 0.3) * rows + 0.4),
        layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04),
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        _draw(axes, panels[place], look, beside)
    others = (
        [Line2D([], [], color=beside.color, linewidth=_THIN, label=beside.label)] if beside else []
    )
    legend: list[Artist] = [
        Line2D([], [], color=look.color, label=look.label),
        *others,
        Patch(color=look.color, alpha=0.2, label="95 % interval"),
        *(
            Line2D([], [], color=_BORDER, linewidth=1, dashes=dashes, label=border)
            for dashes, border in zip(_DASHES, _LABELS, strict=True)
        ),
    ]
    figure.legend(handles=legend, loc="outside upper center", ncols=min(len(legend), 2 * columns))
    grid[0, 0].set_ylim(bottom=0)  # of all panels, when all is drawn
    for axes in grid[:, 0]:
        axes.set_ylabel("Wrong among them")
    for axes in grid.flat[max(0, len(panels) - columns) : len(panels)]:  # lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("Surest images kept")
    return figure


def _draw(axes: Axes, panel: RiskPanel, look: Look, beside: Look | None) -> None:
    curve = panel.told["risk_coverage"][panel.group]
    axes.plot(curve["coverage"], curve["risk"], color=look.color, label="risk")
    known = [place for place, ends in enumerate(curve["ci95"]) if ends]
    axes.fill_between(
        [curve["coverage"][place] for place in known],
        [curve["ci95"][place][0] for place in known],
        [curve["ci95"][place][1] for place in known],
        color=look.color,
        alpha=0.2,
        linewidth=0,
    )
    if panel.beside and beside:
        other = panel.beside["risk_coverage"][panel.group]
        axes.plot(other["coverage"], other["risk"], color=beside.color, linewidth=_THIN)
    shares = panel.told["verdicts"][panel.group]
    usable = shares["usable"]["share"]
    for end, dashes in zip((usable, usable + shares["doubtful"]["share"]), _DASHES, strict=True):
        axes.axvline(end, color=_BORDER, linewidth=1, dashes=dashes)
    axes.set_title(fill(panel.title, _LETTERS), fontsize=9)
    axes.set_xlim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
