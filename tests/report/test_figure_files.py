from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from mixqual.report.figure_files import write_figure


def drawing() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1], [1, 0])
    return figure


def test_both_files_are_the_drawing_at_150_pixels_an_inch(tmp_path: Path) -> None:
    paths = write_figure(drawing(), tmp_path, "fig9")
    assert [path.name for path in paths] == ["fig9.svg", "fig9.png"]
    assert "<svg" in paths[0].read_text()
    with Image.open(paths[1]) as image:
        assert image.size == (300, 150)


def test_nothing_of_the_time_or_the_library_is_in_the_files(tmp_path: Path) -> None:
    svg, png = write_figure(drawing(), tmp_path, "fig9")
    assert "<dc:date>" not in svg.read_text()
    assert b"Software" not in png.read_bytes()
