from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from report_samples import Results
from trust_samples import trusting_results

from mixqual.report.catalogue import FIGURES
from mixqual.report.figure_files import FORMATS, figure_bytes, write_figure

STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def drawable() -> Results:
    """Results of which every figure can be drawn."""
    return trusting_results(trees=True)


@pytest.mark.parametrize("name", list(FIGURES))
def test_equal_results_give_equal_bytes_whatever_the_users_settings(name: str) -> None:
    first = FIGURES[name](drawable())
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.hashsalt": None, "font.size": 20}):
        second = FIGURES[name](drawable())
        assert first
        assert second
        others = {kind: figure_bytes(second, kind) for kind in ("svg", "png")}
    for kind, content in others.items():
        assert figure_bytes(first, kind) == content


def test_formats_are_what_they_are_called() -> None:
    assert tuple(STARTS) == FORMATS
    for kind, start in STARTS.items():
        assert figure_bytes(Figure(), kind).startswith(start)


def test_files_are_what_is_drawn(tmp_path: Path) -> None:
    paths = write_figure(Figure(), tmp_path / "new", "fig9")
    assert [path.name for path in paths] == ["fig9.svg", "fig9.png"]
    for path in paths:
        assert path.read_bytes() == figure_bytes(Figure(), path.suffix[1:])
