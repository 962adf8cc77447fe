from pathlib import Path
from typing import Any

import matplotlib
import pytest
from report_samples import sample_results

from mixqual.errors import RunError
from mixqual.report.resilience_figure import draw_resilience, resilience_figure


def results(distortions: int = 4) -> dict[str, Any]:
    """Made-up results of one model; the fourth distortion's level falls as damage grows."""
    found = sample_results(distortions) | {"models": ["timm/own_net"]}
    for table in ("auc", "accuracy", "accuracy_ci95"):
        found[table] = {"timm/own_net": found[table]["clean"]}
    if distortions > 3:
        levels = found["distortions"]["motion_blur"]["levels"]
        found["distortions"]["motion_blur"]["levels"] = levels[::-1]
    return found


@pytest.mark.parametrize("distortions", [1, 4, 6])
def test_every_panel_has_its_curve_band_and_area(distortions: int) -> None:
    found = results(distortions)
    figure = resilience_figure(found)
    assert len(figure.axes) == distortions
    for axes, (name, grid) in zip(figure.axes, found["distortions"].items(), strict=True):
        (line,) = axes.lines
        accuracy = found["accuracy"]["timm/own_net"][name]
        keys = [format(level, "g") for level in grid["levels"]]
        assert list(line.get_xdata()) == grid["levels"]
        assert list(line.get_ydata()) == [accuracy[key] for key in keys]
        assert f"AUC {found['auc']['timm/own_net'][name]['auc']:.3f}" in axes.get_title()
        assert len(axes.collections) == 1
        first, last = axes.transData.transform([(level, 0) for level in grid["levels"]])[[0, -1], 0]
        assert first < last  # damage grows to the right


def test_axes_name_quantity_and_unit() -> None:
    found = results(2)
    found["distortions"]["gaussian_noise"] |= {"quantity": "severity", "unit": "of 5"}
    left, right = resilience_figure(found).axes
    assert left.get_xlabel() == "Noise severity (of 5)"
    assert right.get_xlabel() == "Blur σ (pixels at 128 px)"
    assert left.get_ylabel() == "Accuracy (%)"


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_drawings_are_the_same_bytes_whatever_the_users_settings(
    tmp_path: Path, ending: str
) -> None:
    first, second = tmp_path / "new" / f"a.{ending}", tmp_path / f"b.{ending}"
    draw_resilience(results(2), first)
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.hashsalt": None, "font.size": 20}):
        draw_resilience(results(2), second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 2000


@pytest.mark.parametrize("name", ["curves.gif", "curves", "curves.txt"])
def test_refuses_formats_that_cannot_be_drawn(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match=r"must end in one of \.svg, \.png, \.pdf"):
        draw_resilience(results(1), tmp_path / name)
    assert not list(tmp_path.iterdir())
