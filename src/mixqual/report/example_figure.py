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
from PIL import Image

from mixqual.report.figure_text import drawable
from mixqual.report.labels import distortion_title, figure_label, level_quantity, level_unit
from mixqual.report.style import house_style
from mixqual.results.lookups import Examples, Results

_RIGHT, _WRONG = "#006D4F", "#B3261E"
# All lengths are in inches, and known before anything is drawn: no layout has to be searched for.
_SIDE, _GAP, _LINE, _CREDIT_LINE = 1.85, 0.14, 0.125, 0.085
_LEFT, _TOP, _EDGE = 0.3, 0.42, 0.08
_CREDIT_LETTERS = 34  # to an image's width


@house_style()
def figure_1(results: Results, examples: Examples) -> Figure:
    """Draw a row for each example, a column for each distortion, the answers below each image.

    A tick is a right answer, a cross a wrong one; the number is the model's own confidence.
    """
    rows, columns = len(examples["examples"]), len(examples["cells"])
    lines = len(examples["examples"][0]["cells"][0]["answers"]) + 0.6
    credit = textwrap.wrap(f"Images: {drawable(examples['credit'])}", _CREDIT_LETTERS * columns)
    under = _EDGE + (_GAP + len(credit) * _CREDIT_LINE if examples["credit"] else 0)
    down, across = _SIDE + lines * _LINE + _GAP, _SIDE + _GAP
    width = _LEFT + columns * across - _GAP + _EDGE
    height = _TOP + rows * down - _GAP + under
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    classes = examples["classes"]
    for row, example in enumerate(examples["examples"]):
        for column, (place, shown) in enumerate(
            zip(examples["cells"], example["cells"], strict=True)
        ):
            left, top = _LEFT + column * across, height - _TOP - row * down
            axes = figure.add_axes(
                (left / width, (top - _SIDE) / height, _SIDE / width, _SIDE / height)
            )
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
        text = "\n".join(credit)
        figure.supxlabel(text, fontsize=5.5, x=0.5, y=_EDGE / height, va="bottom")
    return figure


def pixels_of(uri: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels (H, W, 3) of an image that is written as a data URI."""
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _write_answers(
    axes: Axes, label: int, answers: Mapping[str, Mapping[str, Any]], classes: list[str]
) -> None:
    lines = len(answers)
    below = axes.inset_axes((0, -(lines + 0.6) * _LINE / _SIDE, 1, (lines + 0.3) * _LINE / _SIDE))
    below.set_axis_off()
    below.set_ylim(lines, 0)
    for line, (model, answer) in enumerate(answers.items()):
        right = answer["class"] == label
        # Two texts: a formula is set once for each model, not once for each answer.
        for x, align, text in (
            (0, "left", f"{'✓' if right else '✗'} {figure_label(model)}"),
            (1, "right", f"{_named(classes[answer['class']])} {answer['confidence']:.2f}"),
        ):
            below.text(
                x,
                line + 0.5,
                text,
                color=_RIGHT if right else _WRONG,
                fontsize=6.5,
                ha=align,
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
    return drawable(class_name.replace("_", " "))
