import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from report_samples import sample_results

from mixqual.errors import RunError
from mixqual.report import figure_1, make, read_examples, write_report
from mixqual.report.example_figure import pixels_of


def uri(shade: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(file, "WEBP", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def sample_examples() -> dict[str, Any]:
    def cell(shade: int, answers: list[int]) -> dict[str, Any]:
        models = ("clean", "noise", "mix")
        return {
            "pixels": uri(shade),
            "answers": {
                model: {"class": answer, "confidence": 0.5 + answer / 10}
                for model, answer in zip(models, answers, strict=True)
            },
            "weights": {"clean": 0.25, "noise": 0.75},
        }

    return {
        "credit": "Somebody's photographs, CC BY 4.0",
        "classes": ["a_cat", "a dog", "$10"],
        "cells": [
            {"distortion": "clean", "level": 0.0},
            {"distortion": "gaussian_noise", "level": 50.0},
        ],
        "examples": [
            {"id": "one", "label": 0, "cells": [cell(10, [0, 1, 0]), cell(90, [2, 2, 0])]},
            {"id": "two", "label": 2, "cells": [cell(200, [2, 2, 2]), cell(250, [1, 0, 2])]},
        ],
        "failures": [],
    }


def test_every_answer_is_written_below_its_image() -> None:
    figure = figure_1(sample_results(), sample_examples())
    images = [axes for axes in figure.axes if axes.images]
    assert len(images) == 4
    shades = [int(np.asarray(axes.images[0].get_array())[0, 0, 0]) for axes in images]
    assert shades == [10, 90, 200, 250]
    below = [axes for parent in images for axes in parent.child_axes]
    lines = [[text.get_text() for text in axes.texts] for axes in below]
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
