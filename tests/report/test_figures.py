from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from report_samples import Results, sample_results

from mixqual.report import draw_figures, figure_2, figure_4, figure_5
from mixqual.report.labels import figure_label
from mixqual.report.style import line_styles

ALL_FIGURES = (figure_2, figure_4, figure_5)


def curves(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (np.array(line.get_xdata()).tolist(), list(line.get_ydata()))
        for line in axes.lines
    }


def band(axes: Axes, index: int) -> tuple[list[float], list[float]]:
    """The low and the high edge of a band, read from the corners of its polygon."""
    area = axes.collections[index]
    assert isinstance(area, FillBetweenPolyCollection)
    corners = area.get_paths()[0].vertices
    levels = sorted(set(corners[:, 0]))
    heights = [corners[corners[:, 0] == level, 1] for level in levels]
    return [float(y.min()) for y in heights], [float(y.max()) for y in heights]


def reading_order(legend: Legend) -> list[str]:
    """Texts by row and then by column; within a row their upper edges differ by a pixel or two."""
    places = [(text.get_window_extent(), text.get_text()) for text in legend.get_texts()]
    row_tops: list[float] = []
    for box, _ in sorted(places, key=lambda place: -place[0].y1):
        if not row_tops or row_tops[-1] - box.y1 > 5:
            row_tops.append(box.y1)

    def row(top: float) -> int:
        return min(range(len(row_tops)), key=lambda index: abs(row_tops[index] - top))

    return [text for box, text in sorted(places, key=lambda p: (row(p[0].y1), p[0].x0))]


@pytest.mark.parametrize("distortions", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("make", "models"),
    [
        (figure_2, ["clean", "noise", "blur", "all"]),
        (figure_5, ["avg", "all", "hardmix", "mix"]),
    ],
)
def test_curves_and_bands_are_the_numbers_of_the_results(
    distortions: int, make: object, models: list[str]
) -> None:
    results = sample_results(distortions)
    figure = make(results)  # type: ignore[operator]
    assert len(figure.axes) == distortions
    for axes, (name, grid) in zip(figure.axes, results["distortions"].items(), strict=True):
        drawn = curves(axes)
        assert list(drawn) == models
        for index, model in enumerate(models):
            accuracy = results["accuracy"][model][name]
            keys = [format(level, "g") for level in grid["levels"]]
            assert drawn[model] == (grid["levels"], [accuracy[key] for key in keys])
            intervals = [results["accuracy_ci95"][model][name][key] for key in keys]
            low, high = band(axes, index)
            assert low == [interval[0] for interval in intervals]
            assert high == [interval[1] for interval in intervals]
        assert axes.get_ylim() == (0, 1)


@pytest.mark.parametrize(("distortions", "experts"), [(1, 2), (2, 3), (6, 8)])
def test_weights_and_gate_are_the_numbers_of_the_results(distortions: int, experts: int) -> None:
    results = sample_results(distortions, experts)
    figure = figure_4(results)
    for axes, (name, grid) in zip(figure.axes, results["distortions"].items(), strict=True):
        drawn = curves(axes)
        assert len(drawn) == 2 * experts
        for index, expert in enumerate(results["experts"]):
            keys = [format(level, "g") for level in grid["levels"]]
            optimal, mean, spread = (
                [results[table][name][key][expert] for key in keys]
                for table in ("weights", "gate_weights", "gate_weights_std")
            )
            assert drawn[f"optimal, {expert}"] == (grid["levels"], optimal)
            assert drawn[f"gate, {expert}"] == (grid["levels"], mean)
            low, high = band(axes, index)
            # Weights lie between 0 and 1, so the band ends there.
            assert low == pytest.approx(np.clip(np.subtract(mean, spread), 0, 1), abs=1e-12)
            assert high == pytest.approx(np.clip(np.add(mean, spread), 0, 1), abs=1e-12)


def test_axes_name_quantity_and_unit() -> None:
    left, right, third = figure_2(sample_results(3)).axes
    assert left.get_xlabel() == "Noise σ (grey levels)"
    assert right.get_xlabel() == "Blur σ (pixels at 128 px)"
    assert third.get_xlabel() == "JPEG level (100 - quality)"
    assert left.get_ylabel() == "Accuracy (%)"
    figure = figure_2(sample_results(1))
    figure.draw_without_rendering()
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ticks == ["0", "20", "40", "60", "80", "100"]


def test_a_model_looks_the_same_in_all_figures() -> None:
    results = sample_results()
    looks: dict[str, set[object]] = {}
    for make in ALL_FIGURES:
        for line in make(results).axes[0].lines:
            name = str(line.get_label()).split(", ")[-1]
            color = line.get_color() if line.get_linestyle() != "None" else None
            looks.setdefault(name, set()).add(color or line.get_markeredgecolor())
    assert looks["all"] == {"#009E73"}
    assert all(len(colors) == 1 for colors in looks.values())


@pytest.mark.parametrize("experts", [2, 8])
def test_no_two_curves_of_a_figure_look_alike_in_colour_or_grey(experts: int) -> None:
    results = sample_results(experts=experts)
    styles = line_styles(results)
    for models in ([*results["experts"], "all"], ["avg", "all", "hardmix", "mix"]):
        assert len({styles[model].color for model in models}) == len(models)
        assert len({styles[model].marker for model in models}) == len(models)


@pytest.mark.parametrize(("distortions", "experts"), [(1, 2), (1, 8), (2, 3), (6, 8)])
def test_the_legend_fits_and_names_every_expert_in_reading_order(
    distortions: int, experts: int
) -> None:
    results = sample_results(distortions, experts)
    for make in ALL_FIGURES:
        figure = make(results)
        figure.draw_without_rendering()
        (legend,) = figure.legends
        area = legend.get_window_extent()
        assert figure.bbox.x0 <= area.x0 < area.x1 <= figure.bbox.x1
        assert area.y0 >= max(axes.get_window_extent().y1 for axes in figure.axes)
        if make is figure_2:
            names = reading_order(legend)
            assert names[:-1] == [figure_label(name) for name in (*results["experts"], "all")]


def test_drawings_are_the_same_bytes_whatever_the_users_settings(tmp_path: Path) -> None:
    results = sample_results()
    first = draw_figures(results, tmp_path / "first")
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.hashsalt": None, "font.size": 20}):
        second = draw_figures(sample_results(), tmp_path / "second")
    drawn = ("fig2", "fig4", "fig5", "fig6", "conditional")
    names = [f"{name}.{kind}" for name in drawn for kind in ("svg", "png")]
    assert [path.name for path in first] == names
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in first[0].read_bytes()


def test_drawing_leaves_the_users_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    figure = figure_2(sample_results(1))
    assert isinstance(figure, Figure)
    assert dict(matplotlib.rcParams) == before


def odd_names() -> Results:
    results = sample_results(1)
    text = {"noise": "grain $x$ [b]"}
    for table in ("auc", "accuracy", "accuracy_ci95", "cost"):
        results[table] = {text.get(name, name): row for name, row in results[table].items()}
    for table in ("experts", "models"):
        results[table] = [text.get(name, name) for name in results[table]]
    return results


def test_names_that_are_no_words_are_drawn_as_they_are() -> None:
    figure = figure_2(odd_names())
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert r"M_grain \$x\$ [b]" in labels


def test_a_study_without_baselines_is_drawn_without() -> None:
    results = sample_results(1) | {"baselines": []}
    assert list(curves(figure_5(results).axes[0])) == ["avg", "hardmix", "mix"]


def test_a_name_too_wide_for_any_legend_still_has_one() -> None:
    results = odd_names()
    for table in ("auc", "accuracy", "accuracy_ci95", "cost"):
        results[table]["x" * 200] = results[table]["all"]
    results["baselines"] = ["x" * 200]
    results["models"].append("x" * 200)
    assert len(figure_2(results).legends) == 1
