import pytest
from matplotlib.container import ErrorbarContainer
from report_samples import sample_results

from mixqual.report import make
from mixqual.report.conditional_figure import figure_conditional
from mixqual.report.labels import figure_label


@pytest.mark.parametrize("seeds", [1, 3])
def test_points_are_the_numbers_of_the_results(seeds: int) -> None:
    results = sample_results(seeds=seeds)
    figure = make(results, "conditional")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    curve, chosen = results["conditional"]["curve"], results["conditional"]["chosen"]
    drawn = lines["experts that pass τ"]
    assert drawn.get_xdata() == pytest.approx([row["macs"] / 1e9 for row in curve])
    assert drawn.get_ydata() == pytest.approx([row["auc"] for row in curve])
    for model in ("all", "all_long", "hardmix", "mix"):
        line = lines[figure_label(model)]
        assert line.get_xdata() == pytest.approx([results["cost"][model]["macs"] / 1e9])
        assert line.get_ydata() == pytest.approx([results["auc"][model]["average"]["auc"]])
    (container,) = axes.containers
    assert isinstance(container, ErrorbarContainer)
    assert container.get_label() == "chosen: τ = 0.2"
    point, _, (bars,) = container.lines
    assert point.get_xydata()[0] == pytest.approx([chosen["macs"] / 1e9, chosen["auc"]])
    assert bars.get_segments()[0][:, 1] == pytest.approx(chosen["ci95"])
    assert axes.get_xlim()[0] == 0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("MACs an image (billions)", "Average AUC")


def test_the_legend_fits() -> None:
    figure = figure_conditional(sample_results())
    figure.draw_without_rendering()
    (legend,) = figure.legends
    area = legend.get_window_extent()
    assert figure.bbox.x0 <= area.x0 < area.x1 <= figure.bbox.x1
    assert area.y0 >= figure.axes[0].get_window_extent().y1


def test_older_results_have_none() -> None:
    results = sample_results()
    del results["conditional"]
    assert figure_conditional(results) is None
