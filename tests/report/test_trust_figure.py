import numpy as np
from report_samples import sample_results
from trust_samples import trusting_results

from mixqual.report.figure_files import figure_bytes
from mixqual.report.style import line_styles
from mixqual.report.trust_figure import tree_trust_figure, trust_figure


def test_what_is_drawn_are_the_numbers() -> None:
    results = trusting_results()
    figure = trust_figure(results)
    assert figure
    told = results["trust"][0]
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title() for axes in panels] == ["Noise", "Blur"]
    for axes, name in zip(panels, results["distortions"], strict=True):
        curve = told["risk_coverage"][name]
        risk, *borders = axes.lines
        np.testing.assert_array_equal(risk.get_xdata(), curve["coverage"])
        np.testing.assert_array_equal(risk.get_ydata(), curve["risk"])
        (band,) = axes.collections
        corners = band.get_paths()[0].vertices
        assert {(x, y) for x, y in corners.tolist()} >= {(0.5, 0.05), (1.0, 0.35)}
        assert 0.25 not in corners[:, 0]  # whose interval is not known
        shares = told["verdicts"][name]
        ends = [shares["usable"]["share"], 1 - shares["retake"]["share"]]
        np.testing.assert_allclose([line.get_xdata()[0] for line in borders], ends)


def test_the_main_baseline_is_a_thin_line_in_every_panel() -> None:
    results = trusting_results(networks=("noise", "all"))
    figure = trust_figure(results)
    assert figure
    (told,) = (row for row in results["trust"] if row["model"] == "all")
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == len(results["distortions"])
    for axes, name in zip(panels, results["distortions"], strict=True):
        own, other, *_ = axes.lines
        np.testing.assert_array_equal(other.get_ydata(), told["risk_coverage"][name]["risk"])
        assert other.get_linewidth() < own.get_linewidth()
        assert other.get_color() == line_styles(results)["all"].color


def test_results_that_do_not_tell_have_none() -> None:
    assert trust_figure(sample_results()) is None


def test_trees_have_a_panel_each_beside_m_mix() -> None:
    results = trusting_results(trees=True)
    figure = tree_trust_figure(results)
    assert figure
    mix, *trees = results["trust"]
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == len(trees) == 5
    assert [axes.get_title() for axes in panels[:3]] == [
        *("until blocks.3", "until blocks.5", "until blocks.5 (own weights)")
    ]
    for axes, told in zip(panels, trees, strict=True):
        own, other, *borders = axes.lines
        np.testing.assert_array_equal(own.get_ydata(), told["risk_coverage"]["average"]["risk"])
        np.testing.assert_array_equal(other.get_ydata(), mix["risk_coverage"]["average"]["risk"])
        assert other.get_color() == line_styles(results)["mix"].color != own.get_color()
        shares = told["verdicts"]["average"]
        ends = [shares["usable"]["share"], 1 - shares["retake"]["share"]]
        np.testing.assert_allclose([line.get_xdata()[0] for line in borders], ends)


def test_trees_leave_the_figure_of_m_mix_as_it_is() -> None:
    with_trees, without = (trust_figure(trusting_results(trees=t)) for t in (True, False))
    assert with_trees
    assert without
    assert figure_bytes(with_trees, "svg") == figure_bytes(without, "svg")
