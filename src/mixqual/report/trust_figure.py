"""How much fewer errors the surest answers have: risk against coverage, a panel a distortion."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from mixqual.report.labels import Results, distortion_title, figure_label
from mixqual.report.style import house_style, line_styles

_BESIDE, _SIDE = 3, 2.6
_LABELS = ("usable up to here", "retake from here")
_BORDER, _DASHES = "#5f5f5f", ((4, 2), (1, 1.5))


@house_style()
def trust_figure(results: Results) -> Figure | None:
    """Risk-coverage curves of M_mix with their intervals, and where the verdicts part them.

    Of the first training; None for results that do not tell.
    """
    if not results.get("trust"):
        return None
    told = results["trust"][0]
    names = list(results["distortions"])
    columns = min(_BESIDE, len(names))
    rows = ceil(len(names) / columns)
    figure = Figure(
        figsize=(_SIDE * columns + 0.4, (_SIDE - 0.3) * rows + 0.4),
        layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04),
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.set_axis_off()
            continue
        _draw(axes, results, told, names[place])
    legend = [
        Line2D([], [], color=line_styles(results)["mix"].color, label=figure_label("mix")),
        Patch(color=line_styles(results)["mix"].color, alpha=0.2, label="95 % interval"),
        *(
            Line2D([], [], color=_BORDER, linewidth=1, dashes=dashes, label=label)
            for dashes, label in zip(
                _DASHES, ("usable up to here", "retake from here"), strict=True
            )
        ),
    ]
    figure.legend(handles=legend, loc="outside upper center", ncols=min(4, 2 * columns))
    grid[0, 0].set_ylim(bottom=0)  # of all panels, when all is drawn
    for axes in grid[:, 0]:
        axes.set_ylabel("Wrong among them")
    for axes in grid.flat[max(0, len(names) - columns) : len(names)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("Surest images kept")
    return figure


def _draw(axes: Axes, results: Results, told: Results, name: str) -> None:
    curve, style = told["risk_coverage"][name], line_styles(results)["mix"]
    axes.plot(curve["coverage"], curve["risk"], color=style.color, label="risk")
    known = [place for place, ends in enumerate(curve["ci95"]) if ends]
    axes.fill_between(
        [curve["coverage"][place] for place in known],
        [curve["ci95"][place][0] for place in known],
        [curve["ci95"][place][1] for place in known],
        color=style.color,
        alpha=0.2,
        linewidth=0,
    )
    shares = told["verdicts"][name]
    usable = shares["usable"]["share"]
    for end, dashes in zip((usable, usable + shares["doubtful"]["share"]), _DASHES, strict=True):
        axes.axvline(end, color=_BORDER, linewidth=1, dashes=dashes)
    axes.set_title(distortion_title(name), fontsize=9)
    axes.set_xlim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
