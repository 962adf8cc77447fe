"""The paper's Figure 6 for a run: which stages the experts of each mixture share.

Everything is placed in inches, so that text has the same size however many mixtures there are. A
box is its left, bottom, width and height.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from mixqual.report.labels import figure_label
from mixqual.report.structure import Part, Structure, structures
from mixqual.report.style import house_style, line_styles
from mixqual.results.lookups import Results

_WIDEST = 5.4
"""Beyond this width in inches a second panel beside the first would be too small on a phone."""
_TEXT, _TITLE = 8.5, 9.5
_EDGE, _GAP, _SPACE = 0.08, 0.17, 0.3
"""Between columns and around the figure; between parts; between panels."""
_HEAD, _BAR, _FOOT, _FLOW = 0.44, 0.22, 0.16, 2.1
"""Heights of a panel's title, of a bar, of the word at its end, and of what is between."""
_LEAST = 0.4
"""The least height of a part, for two lines of text."""
_GREY, _DARK = "#7a7a7a", "#4d4d4d"
_MOST_STAGES = 30
"""Lines between more stages would be a hatching."""

Box = tuple[float, float, float, float]


@final
@dataclass(frozen=True)
class _Panel:
    """The widths that all panels of a figure have in common."""

    gate: float
    column: float
    experts: int

    @property
    def columns(self) -> float:
        return self.experts * (self.column + _EDGE) - _EDGE

    @property
    def width(self) -> float:
        return self.gate + _GAP + self.columns

    @property
    def height(self) -> float:
        return _HEAD + _BAR + 2 * _GAP + _FLOW + _FOOT


@house_style()
def figure_6(results: Results) -> Figure:
    """One panel for M_avg, M_mix and each tree, from the image at the top to the class.

    An expert's own stages have its colour, stages that all share are dark and drawn once, and the
    gate stands beside, but for M_avg, which has none. Numbers are parameters; lines part the
    stages, where the results have them.
    """
    found = structures(results)
    panel = _panel_for(results, found)
    beside = 2 if len(found) > 1 and 2 * (panel.width + _EDGE) + _SPACE <= _WIDEST else 1
    places = _places(found, beside)
    rows = places[-1][0] + 1
    width = beside * (panel.width + _SPACE) - _SPACE + 2 * _EDGE
    height = rows * (panel.height + _SPACE) - _SPACE + 2 * _EDGE
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    for structure, (row, column) in zip(found, places, strict=True):
        left = _EDGE + column * (panel.width + _SPACE)
        top = height - _EDGE - row * (panel.height + _SPACE)
        _draw(axes, results, structure, panel, left, top)
    return figure


def count_text(params: int) -> str:
    """A number of parameters in millions, as in the tables, or in thousands if it is small."""
    if params >= 1e6:
        return f"{params / 1e6:.2f} M"
    return f"{params / 1e3:.0f} k" if params >= 1e5 else f"{params / 1e3:.1f} k"


def _places(found: Sequence[Structure], beside: int) -> list[tuple[int, int]]:
    """Row and column of each panel; each kind of mixture begins a row."""
    places = [(0, 0)]
    for above, structure in pairwise(found):
        row, column = places[-1]
        on = structure.kind == above.kind and column + 1 < beside
        places.append((row, column + 1) if on else (row + 1, 0))
    return places


def _draw(
    axes: Axes, results: Results, structure: Structure, panel: _Panel, left: float, top: float
) -> None:
    """One mixture; what an image goes through stands below each other."""
    title, where, count = _titles(structure)
    axes.text(left, top, title, fontsize=_TITLE, fontweight="bold", va="top")
    below: dict[str, Any] = {"y": top - 0.18, "fontsize": _TEXT, "va": "top"}
    axes.text(left, s=where, **below)
    axes.text(left + panel.width, s=count, ha="right", gid=f"{structure.model}:all", **below)
    y, x = top - _HEAD - _BAR, left + panel.gate + _GAP
    centres = [x + panel.column / 2 + n * (panel.column + _EDGE) for n in range(panel.experts)]
    middle, gate = [x + panel.columns / 2], left + panel.gate / 2
    gated = structure.gate_params is not None
    image = (left, y, panel.width, _BAR) if gated else (x, y, panel.columns, _BAR)
    _box(axes, image, "white", _GREY)
    _write(axes, image, "image")
    if gated:
        _arrow(axes, (gate, y), (gate, y - _GAP))
        _gate(axes, structure, (left, y - _GAP - _LEAST, panel.gate, _LEAST))
    bottom, above = y - _GAP - _LEAST, ""
    for name, height in _rows(structure):
        for start in centres if "branch" in (name, above) else middle:
            _arrow(axes, (start, y), (start, y - _GAP))
        y, above = y - _GAP - height, name
        if name == "branch":
            _columns(axes, results, structure, (x, y, panel.column, height))
        elif name == "mix":
            _box(axes, (x, y, panel.columns, height), "white", "black")
            _write(axes, (x, y, panel.columns, height), structure.joins)
            if gated:
                axes.plot([gate, gate], [bottom, y + height / 2], color=_DARK, linewidth=0.9)
                _arrow(axes, (gate, y + height / 2), (x, y + height / 2))
        else:
            _shared(axes, structure, name, (x, y, panel.columns, height))
    _arrow(axes, (middle[0], y), (middle[0], y - _GAP))
    axes.text(middle[0], y - _GAP, "class", fontsize=_TEXT, ha="center", va="top")


def _panel_for(results: Results, found: Sequence[Structure]) -> _Panel:
    """As narrow as the texts allow."""
    experts = len(results["experts"])
    columns = [_width(text) for s in found for e in results["experts"] for text in _branch(s, e)]
    wide = [_width(text) for s in found for name, _ in _shared_parts(s) for text in _words(s, name)]
    wide += [_width(structure.joins) for structure in found]
    gate = max(_width(text) for structure in found for text in _gate_words(structure))
    heads = [
        max(_width(title, _TITLE, "bold"), _width(where) + _width(count) + _GAP) - gate - _GAP
        for title, where, count in map(_titles, found)
    ]
    across = (max(*wide, *heads) + 0.1 + _EDGE) / experts - _EDGE
    return _Panel(gate + 0.14, max(0.5, across, *(width + 0.14 for width in columns)), experts)


def _width(text: str, size: float = _TEXT, weight: str = "normal") -> float:
    """Of a line of text, in inches."""
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width) / 72


def _titles(structure: Structure) -> tuple[str, str, str]:
    """Its kind, what is shared, and how many parameters it has in all."""
    kinds = {
        "independent": figure_label(structure.model),
        "treenet": "TreeNet",
        "inverted": "Inverted-TreeNet",
        "both": "Both ends shared",
    }
    places = [structure.until and f"until {structure.until}"]
    places += [structure.start and f"from {structure.start}"]
    where = ", ".join(place for place in places if place) or "nothing shared"
    return kinds[structure.kind], where, f"{count_text(structure.params)} parameters"


def _shared_parts(structure: Structure) -> Iterator[tuple[str, Part]]:
    for name, part in (("first", structure.first), ("last", structure.last)):
        if part:
            yield name, part


def _rows(structure: Structure) -> list[tuple[str, float]]:
    """What stands below the image, with its height; parts are as high as they have stages."""
    shared = dict(_shared_parts(structure))
    parts = {name: shared.get(name, structure.branch) for name in ("first", "branch", "last")}
    parts = {name: part for name, part in parts.items() if name == "branch" or name in shared}
    free = _FLOW - _BAR - len(parts) * (_GAP + _LEAST)
    counts = {name: part.stages or 1 for name, part in parts.items()}
    rows = []
    for name, count in counts.items():
        rows.append((name, _LEAST + free * count / sum(counts.values())))
        if name == "branch":
            rows.append(("mix", _BAR))
    return rows


def _columns(axes: Axes, results: Results, structure: Structure, first: Box) -> None:
    """The stages that each expert has for itself, side by side."""
    x, y, width, height = first
    styles = line_styles(results)
    for place, expert in enumerate(results["experts"]):
        box = (x + place * (width + _EDGE), y, width, height)
        color = styles[expert].color
        red, green, blue = (1 - 0.28 * (1 - part) for part in to_rgb(color))
        face = to_hex((red, green, blue))
        _box(axes, box, face, color)
        _stages(axes, box, structure.branch, color)
        text = "\n".join(_branch(structure, expert))
        _write(axes, box, text, face=face, gid=f"{structure.model}:{expert}")


def _branch(structure: Structure, expert: str) -> tuple[str, str]:
    return figure_label(expert), count_text(structure.branch.params or 0)


def _shared(axes: Axes, structure: Structure, name: str, box: Box) -> None:
    """Stages that all experts share: those of M_clean, stored and run once."""
    _box(axes, box, _DARK, _DARK)
    _stages(axes, box, dict(_shared_parts(structure))[name], "white")
    text = "\n".join(_words(structure, name))
    _write(axes, box, text, color="white", face=_DARK, gid=f"{structure.model}:{name}")


def _words(structure: Structure, name: str) -> tuple[str, str]:
    params = dict(_shared_parts(structure))[name].params
    if params is not None:
        return "shared by all", count_text(params)
    # Older results do not say how these divide.
    return "shared by all", f"{count_text(structure.shared_params)} first and last"


def _gate(axes: Axes, structure: Structure, box: Box) -> None:
    _box(axes, box, "white", _DARK)
    _write(axes, box, "\n".join(_gate_words(structure)), gid=f"{structure.model}:gate")


def _gate_words(structure: Structure) -> tuple[str, str]:
    words = "own gate" if structure.own_gate else "gate"
    return words, count_text(structure.gate_params or 0)


def _box(axes: Axes, box: Box, face: str, edge: str) -> None:
    x, y, width, height = box
    axes.add_patch(Rectangle((x, y), width, height, facecolor=face, edgecolor=edge, linewidth=1.1))


def _stages(axes: Axes, box: Box, part: Part, color: str) -> None:
    """Lines between the stages of a part, if the results say how many it has."""
    x, y, width, height = box
    if part.stages and part.stages <= _MOST_STAGES:
        heights = [y + height * step / part.stages for step in range(1, part.stages)]
        axes.hlines(heights, x, x + width, color=color, linewidth=0.6, alpha=0.55)


def _write(
    axes: Axes, box: Box, text: str, color: str = "black", face: str = "white", gid: str = ""
) -> None:
    """Text in the middle of a box, on its colour, so that no line crosses it."""
    x, y, width, height = box
    written = axes.text(x + width / 2, y + height / 2, text, fontsize=_TEXT, color=color)
    written.set(ha="center", va="center", linespacing=1.15, gid=gid or None)
    written.set_bbox({"facecolor": face, "edgecolor": "none", "pad": 1.0})


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops={**look, "color": _DARK, "linewidth": 0.9})
