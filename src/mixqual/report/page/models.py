"""The models of a run as the page shows them: in groups, each with its colour, marker and dashes.

They look as in the figures (`report/style.py`), so that a reader learns a model's look once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from mixqual.report.labels import kind_of, main_baseline
from mixqual.report.style import LineStyle, line_styles
from mixqual.results.lookups import Results, original_network
from mixqual.results.wording import model_label

_GROUPS = {
    "expert": "Experts",
    "baseline": "Trained on all",
    "ensemble": "Ensembles of experts",
    "tree": "Trees",
    "control": "Controls of trees",
    "ceiling": "Ceilings",
}
_OPEN = ("expert", "baseline", "ensemble")

# Black on black would be nothing. All other colours stand out from both backgrounds.
_ON_DARK = {"#000000": "#f2f2f2"}

_LINE_WIDTH = 2.0
_SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "D": "diamond",
    "P": "cross",
    "X": "x",
    "p": "pentagon",
    "h": "hexagon",
    "*": "star",
}
# The same shapes as SVG paths around the origin, for the legend.
_PATHS = {
    "o": "M-4,0A4,4 0 1,0 4,0A4,4 0 1,0 -4,0Z",
    "s": "M-3.6,-3.6H3.6V3.6H-3.6Z",
    "^": "M0,-4.4L4.2,3.2H-4.2Z",
    "v": "M0,4.4L4.2,-3.2H-4.2Z",
    "<": "M-4.4,0L3.2,-4.2V4.2Z",
    ">": "M4.4,0L-3.2,-4.2V4.2Z",
    "D": "M0,-4.8L4.8,0L0,4.8L-4.8,0Z",
    "P": "M-1.5,-4.4H1.5V-1.5H4.4V1.5H1.5V4.4H-1.5V1.5H-4.4V-1.5H-1.5Z",
    "X": "M-4.2,-2.2L-2.2,-4.2L0,-2L2.2,-4.2L4.2,-2.2L2,0L4.2,2.2L2.2,4.2L0,2L-2.2,4.2"
    "L-4.2,2.2L-2,0Z",
    "p": "M0,-4.6L4.4,-1.4L2.7,3.7H-2.7L-4.4,-1.4Z",
    "h": "M0,-4.6L4,-2.3V2.3L0,4.6L-4,2.3V-2.3Z",
    "*": "M0,-5L1.2,-1.6L4.8,-1.5L1.9,0.6L2.9,4L0,2L-2.9,4L-1.9,0.6L-4.8,-1.5L-1.2,-1.6Z",
}


@final
@dataclass(frozen=True)
class Look:
    """How one model is drawn."""

    model: str
    label: str
    light: str
    """Its colour on a light background."""
    dark: str
    symbol: str
    """The name that plotly has for its marker."""
    path: str
    """The marker as an SVG path."""
    dash: str
    """Dashes and gaps in pixels, as SVG and plotly want them; empty for a solid line."""
    shown: bool
    """Whether its curve is drawn when the page opens."""


@final
@dataclass(frozen=True)
class Group:
    """Models of one kind, under one heading."""

    title: str
    looks: Sequence[Look]
    open: bool


def model_groups(results: Results) -> list[Group]:
    """All models of a run by kind, in the order of its tables."""
    looks = model_looks(results)
    groups = []
    for kind, title in _GROUPS.items():
        own = [looks[model] for model in results["models"] if kind_of(results, model) == kind]
        if own:
            groups.append(Group(title, own, kind in _OPEN))
    return groups


def model_looks(results: Results) -> dict[str, Look]:
    """The look of every model of a run."""
    shown = {original_network(results), main_baseline(results), "avg", "mix"}
    return {
        model: _look(model, style, model in shown) for model, style in line_styles(results).items()
    }


def _look(model: str, style: LineStyle, shown: bool) -> Look:
    return Look(
        model=model,
        label=model_label(model),
        light=style.color,
        dark=_ON_DARK.get(style.color, style.color),
        symbol=_SYMBOLS[style.marker],
        path=_PATHS[style.marker],
        dash=",".join(f"{length * _LINE_WIDTH:g}px" for length in style.dashes),
        shown=shown,
    )
