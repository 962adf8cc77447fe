"""The figure: a panel for each curve, with its points and its exponent."""

import numpy as np

from mixqual.bench.scaling_figure import figure_scaling


def test_each_panel_has_the_points_and_the_fit_of_its_row() -> None:
    square = [(amount, 3.0 * amount**2) for amount in (1.0, 2.0, 4.0)]
    slower = [(1.0, 8.0), (0.5, 6.0)]
    figure = figure_scaling(
        [
            {"what": "sweep, exponent of images", "curve": square},
            {"what": "sweep, seconds for each of 4 images", "curve": []},
            {"what": "sweep, exponent of (1 / threads)", "curve": slower},
        ]
    )
    images, threads = figure.axes
    assert images.get_xlabel() == "images"
    assert threads.get_xlabel() == "1 / threads"
    assert images.get_title() == "exponent 2.00"
    assert threads.get_title() == f"exponent {np.log2(8 / 6):.2f}"
    lines = {line.get_label(): line for line in images.get_lines()}
    np.testing.assert_allclose(lines["measured"].get_xydata(), square)
    np.testing.assert_allclose(lines["fitted"].get_xydata(), [square[0], square[-1]])
    np.testing.assert_allclose(lines["linear"].get_xydata(), [(1, 3), (4, 12)])
    # Threads are drawn from one thread on, which is the larger amount of 1 / threads.
    linear = {line.get_label(): line for line in threads.get_lines()}["linear"]
    np.testing.assert_allclose(linear.get_xydata(), [(0.5, 4), (1, 8)])
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)


def test_seconds_are_named_at_the_axis_and_what_grew_faster_says_so() -> None:
    curve = [(1.0, 1.0), (0.5, 2.0)]
    (panel,) = figure_scaling([{"what": "exponent of (1 / threads)", "curve": curve}]).axes
    assert panel.get_ylabel() == "Seconds of a sweep"
    assert [label.get_text() for label in panel.get_yticklabels()] == ["1", "2"]
    assert panel.get_title() == "exponent −1.00"
