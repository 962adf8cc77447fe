from typing import Any

import numpy as np
import pytest
from comparison_samples import run_results, runs_of, set_grid
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from mixqual.report import comparison_figure
from mixqual.report.comparison import Run

SINGLE = ["clean", "noise", "blur", "all", "all_long", "hardmix", "mix"]
TREES = ["tree_blocks.3", "tree_blocks.5", "tree_blocks.5_resolved", "inverted_conv_head"]
TREES += ["tree_blocks.1_inverted_blocks.6"]


def drawn(axes: Axes) -> set[tuple[float, ...]]:
    """Cost, area and interval of every point with a bar."""
    points = set()
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, (bars,) = container.lines
        for x, y, bar in zip(line.get_xdata(), line.get_ydata(), bars.get_segments(), strict=True):
            points.add(tuple(np.round([x, y, *bar[:, 1]], 9)))
    return points


def ghosts(axes: Axes) -> dict[str, list[Any]]:
    return {
        str(line.get_label()): sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.lines
        if str(line.get_label()).startswith("other run")
    }


def numbers(run: Run, field: str, divisor: float) -> set[tuple[float, ...]]:
    found = set()
    models = SINGLE + (TREES if run.results["trees"] else [])
    for model in models:
        area = run.results["auc"][model]["average"]
        cost = run.results["cost"][model][field] / divisor
        found.add(tuple(np.round([cost, area["auc"], *area["ci95"]], 9)))
    return found


@pytest.mark.parametrize("others", [1, 2])
def test_points_are_the_numbers_of_the_results(others: int) -> None:
    more = [run_results(f"y{place}", [place]) for place in range(others)]
    runs = runs_of(run_results("x", trees=True), *more)
    figure = comparison_figure(runs)
    axes = iter(figure.axes)
    for run in runs:
        for field, divisor in (("params", 1e6), ("macs", 1e9)):
            panel = next(axes)
            assert drawn(panel) == numbers(run, field, divisor)
            for other in runs:
                label = f"other run: {other.label}"
                assert (label in ghosts(panel)) == (other != run)
                if other != run:
                    points = sorted(point[:2] for point in numbers(other, field, divisor))
                    assert np.allclose(ghosts(panel)[label], points)
    assert [panel.get_title(loc="left") for panel in figure.axes[::2]] == [r.label for r in runs]
    assert len({panel.get_ylim() for panel in figure.axes}) == 1


def test_other_averages_are_not_drawn_behind_a_run() -> None:
    weak = run_results("weak")
    set_grid(weak, "gaussian_noise", 0.5)
    figure = comparison_figure(runs_of(run_results("x"), weak, run_results("z")))
    found = [set(ghosts(panel)) for panel in figure.axes[::2]]
    assert found == [{"other run: z"}, set(), {"other run: x"}]


def test_names_of_studies_are_drawn_as_they_are() -> None:
    figure = comparison_figure(runs_of(run_results("cost $5$ a_b"), run_results("y")))
    figure.draw_without_rendering()
    assert figure.axes[0].get_title(loc="left") == r"cost \$5\$ a_b"
