"""The paper's Figure 1: the same images in good and in poor quality, and what each model says."""

import base64
import io
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from mixqual.report.labels import (
    Results,
    distortion_title,
    figure_label,
    level_quantity,
    level_unit,
)
from mixqual.report.style import house_style

Examples = Mapping[str, Any]
"""The content of a run's `examples.json`."""

_RIGHT, _WRONG = "#006D4F", "#B3261E"
_WIDTH, _LINE = 2.05, 0.125
_CREDIT = 110


@house_style()
def figure_1(results: Results, examples: Examples) -> Figure:
    """Draw a row for each example, a column for each distortion, the answers below each image.

    A tick is a right answer, a cross a wrong one; the number is the model's own confidence.
    """
    rows, columns = len(examples["examples"]), len(examples["cells"])
    models = list(examples["examples"][0]["cells"][0]["answers"])
    height = rows * (0.97 * _WIDTH + _LINE * (len(models) + 0.8)) + 0.6
    figure = Figure(
        figsize=(columns * (_WIDTH + 0.1), height),
        layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.04),
    )
    FigureCanvasAgg(figure)
    classes = examples["classes"]
    for row, example in enumerate(examples["examples"]):
        for column, (place, shown) in enumerate(
            zip(examples["cells"], example["cells"], strict=True)
        ):
            axes = figure.add_subplot(rows, columns, row * columns + column + 1)
            axes.imshow(pixels_of(shown["pixels"]))
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(_column_title(results, place), fontsize=9)
            if column == 0:
                axes.set_ylabel(_named(classes[example["label"]]), fontsize=8.5)
            _write_answers(axes, example["label"], shown["answers"], classes)
    if examples["credit"]:
        figure.supxlabel(textwrap.fill(f"Images: {examples['credit']}", _CREDIT), fontsize=5.5)
    return figure


def pixels_of(uri: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels (H, W, 3) of an image that is written as a data URI."""
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _write_answers(
    axes: Axes, label: int, answers: Mapping[str, Mapping[str, Any]], classes: list[str]
) -> None:
    lines = len(answers)
    # A box below the image, as high as its lines, so that rows keep their distance.
    below = axes.inset_axes((0, -(lines + 0.6) * _LINE / _WIDTH, 1, (lines + 0.3) * _LINE / _WIDTH))
    below.set_axis_off()
    below.set_ylim(lines, 0)
    for line, (model, answer) in enumerate(answers.items()):
        right = answer["class"] == label
        below.text(
            0,
            line + 0.5,
            f"{'✓' if right else '✗'} {figure_label(model)}: {_named(classes[answer['class']])} "
            f"{answer['confidence']:.2f}",
            color=_RIGHT if right else _WRONG,
            fontsize=6.5,
            va="center",
        )


def _column_title(results: Results, place: Mapping[str, Any]) -> str:
    if place["distortion"] == "clean":
        return "Clean"
    name = distortion_title(place["distortion"])
    quantity = level_quantity(results, place["distortion"])
    unit = level_unit(results, place["distortion"])
    return f"{name}: {quantity} = {place['level']:.3g}\n({unit})"


def _named(class_name: str) -> str:
    return class_name.replace("_", " ").replace("$", r"\$")
