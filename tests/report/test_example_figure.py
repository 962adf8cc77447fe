from pathlib import Path

import numpy as np
import pytest
from example_samples import sample_examples, uri
from matplotlib.figure import Figure
from report_samples import sample_results

from mixqual.errors import RunError
from mixqual.report import figure_1, make, write_report
from mixqual.report.example_figure import pixels_of
from mixqual.results.reading import read_examples


def test_every_answer_is_written_below_its_image() -> None:
    figure = figure_1(sample_results(), sample_examples())
    images = [axes for axes in figure.axes if axes.images]
    assert len(images) == 4
    shades = [int(np.asarray(axes.images[0].get_array())[0, 0, 0]) for axes in images]
    assert shades == [10, 90, 200, 250]
    below = [axes for parent in images for axes in parent.child_axes]
    words = [[text.get_text() for text in axes.texts] for axes in below]
    lines = [[f"{said[n]} {said[n + 1]}" for n in range(0, len(said), 2)] for said in words]
    assert lines[0][0].startswith("✓")
    assert lines[0][0].endswith("a cat 0.50")
    assert lines[0][1].startswith("✗")
    assert lines[0][1].endswith("a dog 0.60")
    assert [line[0] for line in lines[1]] == ["✗", "✗", "✓"]
    assert [line[0] for line in lines[2]] == ["✓", "✓", "✓"]
    assert [axes.get_title() for axes in images] == [
        "Clean",
        "Noise: σ = 50\n(grey levels)",
        "",
        "",
    ]
    assert images[2].get_ylabel() == r"\$10"
    assert "CC BY 4.0" in figure.get_supxlabel()


def test_nothing_lies_on_anything_else() -> None:
    figure = figure_1(sample_results(), sample_examples())
    figure.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts]
    for number, box in enumerate(boxes):
        assert figure.bbox.fully_contains(box.x0, box.y0)
        assert figure.bbox.fully_contains(box.x1, box.y1)
        assert box.count_overlaps(boxes[number + 1 :]) == 0


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    first = write_report(sample_results(), tmp_path / "a", sample_examples())
    second = write_report(sample_results(), tmp_path / "b", sample_examples())
    assert {"examples.json", "fig1.svg", "fig1.png"} <= {path.name for path in first}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert read_examples(tmp_path / "a") == sample_examples()
    write_report(sample_results(), tmp_path / "a")
    assert read_examples(tmp_path / "a") is None  # an earlier report leaves nothing behind


def test_it_is_made_alone_where_there_are_examples() -> None:
    assert isinstance(make(sample_results(), "fig1", sample_examples()), Figure)
    with pytest.raises(RunError, match=r"no fig1: its folder has no examples\.json"):
        make(sample_results(), "fig1")


def test_pixels_come_back() -> None:
    assert (pixels_of(uri(77)) == 77).all()
