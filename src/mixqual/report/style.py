"""The look of figures: colours that colour-blind readers can tell apart, markers, dashes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, final

from matplotlib import style as matplotlib_style

from mixqual.report.figure_text import FAMILY
from mixqual.results.lookups import Results, original_network

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#4d4d4d",
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": FAMILY,
    "font.size": 9,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "mathtext.default": "regular",
    "svg.hashsalt": "mixqual",  # or the ids inside an SVG would be random
    "xtick.color": "#4d4d4d",
    "xtick.labelcolor": "black",
    "xtick.labelsize": 8.5,
    "ytick.color": "#4d4d4d",
    "ytick.labelcolor": "black",
    "ytick.labelsize": 8.5,
}


@final
@dataclass(frozen=True)
class LineStyle:
    """How the curve of one model looks; two models differ in more than their colour."""

    color: str
    marker: str
    dashes: tuple[float, ...] = ()
    """Lengths of dash and gap in line widths; empty for a solid line."""

    @property
    def line(self) -> Literal["-"] | tuple[float, tuple[float, ...]]:
        """In matplotlib's form."""
        return (0.0, self.dashes) if self.dashes else "-"


# The palette of Okabe and Ito. M_mix, which a reader looks for, has the strongest of its colours;
# "clean" stands for the original network, whatever its name is.
_KNOWN = {
    "clean": LineStyle("#000000", "o"),
    "noise": LineStyle("#E69F00", "s", (4, 1.5)),
    "blur": LineStyle("#0072B2", "^", (1.5, 1.2)),
    "all": LineStyle("#009E73", "D", (5, 1.5, 1.2, 1.5)),
    "avg": LineStyle("#56B4E9", "v", (4, 1.5)),
    "max": LineStyle("#8C8C8C", "P", (5, 1.5, 1.2, 1.5, 1.2, 1.5)),
    "hardmix": LineStyle("#CC79A7", "X", (1.5, 1.2)),
    "mix": LineStyle("#D55E00", "o"),
}
# For experts and baselines of other names: first what the known ones leave free.
_OTHERS = (
    LineStyle("#CC79A7", "v"),
    LineStyle("#56B4E9", "P", (6, 2)),
    LineStyle("#B59F00", "X", (3, 1, 1, 1)),
    LineStyle("#D55E00", "<", (2, 2)),
    LineStyle("#7F7F7F", ">", (6, 1.5, 1.2, 1.5)),
    LineStyle("#0072B2", "p"),
    LineStyle("#E69F00", "h", (1.5, 1.2)),
    LineStyle("#009E73", "*", (6, 2)),
)


def line_styles(results: Results) -> dict[str, LineStyle]:
    """One style for each model of a run, the same in all its figures."""
    known = dict(_KNOWN)
    if "experts" in results and original_network(results) != "clean":
        known[original_network(results)] = known.pop("clean")
    others = [model for model in results["models"] if model not in known]
    styles = {model: _other_style(index) for index, model in enumerate(others)}
    return {model: known.get(model) or styles[model] for model in results["models"]}


def _other_style(index: int) -> LineStyle:
    """A style that comes once: when colours begin again, markers and dashes have moved on."""
    turn, place = divmod(index, len(_OTHERS))
    moved = _OTHERS[(place + 3 * turn) % len(_OTHERS)]
    return LineStyle(_OTHERS[place].color, moved.marker, moved.dashes)


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with these settings, whatever the user's matplotlib is set to, until the block ends."""
    with matplotlib_style.context(["default", _RC]):
        yield
