import numpy as np
from report_samples import sample_results
from trust_samples import trusting_results

from mixqual.report.trust_figure import trust_figure


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


def test_results_that_do_not_tell_have_none() -> None:
    assert trust_figure(sample_results()) is None
