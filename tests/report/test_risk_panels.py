"""Panels in rows: which have axes, labels and a legend."""

import pytest
from trust_samples import trusting_results

from mixqual.report.risk_panels import Look, RiskPanel, risk_figure

ONE, OTHER = Look("one", "#112233"), Look("other", "#445566")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_panels_fill_rows_of_three(count: int) -> None:
    told = trusting_results()["trust"][0]
    figure = risk_figure([RiskPanel(str(n), told, "average") for n in range(count)], ONE)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == [str(n) for n in range(count)]
    assert [bool(axes.get_ylabel()) for axes in shown] == [n % 3 == 0 for n in range(count)]
    lowest = {axes.get_title() for axes in shown if axes.get_xlabel()}
    assert lowest == {str(n) for n in range(max(0, count - 3), count)}
    assert all(axes.get_ylim()[0] == 0 for axes in shown)


def test_the_legend_names_who_is_drawn() -> None:
    first, second = trusting_results(trees=True)["trust"][:2]
    alone = risk_figure([RiskPanel("a", first, "average")], ONE)
    both = risk_figure([RiskPanel("a", first, "average", second)], ONE, OTHER)
    borders = ["95 % interval", "usable up to here", "retake from here"]
    for figure, expected in ((alone, ["one"]), (both, ["one", "other"])):
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [*expected, *borders]
    assert [line.get_color() for line in both.axes[0].lines[:2]] == [ONE.color, OTHER.color]
    assert len(both.axes[0].lines) == len(alone.axes[0].lines) + 1
