from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from report_samples import Results, sample_results

from mixqual.report import figure_costs
from mixqual.report.labels import figure_label

LINES = {
    "treenet": ["tree_blocks.3", "tree_blocks.5", "tree_blocks.5_resolved"],
    "inverted": ["inverted_conv_head"],
    "both": ["tree_blocks.1_inverted_blocks.6"],
}
SINGLE = ["clean", "noise", "blur", "all", "all_long", "hardmix", "mix"]


def drawn(axes: Axes) -> list[list[tuple[Any, ...]]]:
    """The points of each line: x, y, and the ends of its bar."""
    lines = []
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, (bars,) = container.lines
        ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
        points = zip(line.get_xdata(), line.get_ydata(), ends, strict=True)
        lines.append([(x, y, *bar) for x, y, bar in points])
    return lines


def expected(results: Results, models: list[str], field: str, divisor: float) -> list[list[float]]:
    """By the cost, the cheapest first."""
    rows = []
    for model in sorted(models, key=lambda model: results["cost"][model]["params"]):
        area = results["auc"][model]["average"]
        rows.append([results["cost"][model][field] / divisor, area["auc"], *area["ci95"]])
    return rows


@pytest.mark.parametrize("seeds", [1, 3])
def test_points_and_bars_are_the_numbers_of_the_results(seeds: int) -> None:
    results = sample_results(seeds=seeds, trees=True)
    figure = figure_costs(results)
    for axes, field, divisor in zip(figure.axes, ("params", "macs"), (1e6, 1e9), strict=True):
        lines = drawn(axes)
        groups = [*LINES.values(), *([model] for model in SINGLE)]
        for line, models in zip(lines, groups, strict=True):
            for point, numbers in zip(line, expected(results, models, field, divisor), strict=True):
                assert point == pytest.approx(numbers, rel=1e-12)
        assert axes.get_xlim()[0] == 0
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlabel() == "Parameters (millions)"
    assert right.get_xlabel() == "MACs an image (billions)"
    assert left.get_ylabel() == "Average AUC"


def test_every_tree_is_named_by_its_branch_point() -> None:
    for axes in figure_costs(sample_results(trees=True)).axes:
        names = {text.get_text() for text in axes.texts}
        assert names == {
            *("blocks.3", "blocks.5", "blocks.5 *", "conv_head", "blocks.1 to blocks.6")
        }


def test_a_kind_that_is_not_there_is_not_in_the_legend() -> None:
    results = sample_results(trees=True)
    results["trees"] = [tree for tree in results["trees"] if tree["kind"] == "treenet"]
    results["models"] = [model for model in results["models"] if "inverted" not in model]
    (legend,) = figure_costs(results).legends
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {"TreeNets", *(figure_label(model) for model in SINGLE)}


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_the_legend_fits(experts: int) -> None:
    figure = figure_costs(sample_results(experts=experts, trees=True))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    area = legend.get_window_extent()
    assert figure.bbox.x0 <= area.x0 < area.x1 <= figure.bbox.x1
    assert area.y0 >= max(axes.get_window_extent().y1 for axes in figure.axes)
