"""Test images to look at: examples of every class, and what the mixture is most wrong about.

They are chosen by rules, never by hand, from the first training of a study, and carry the very
pixels that the networks saw in the sweep, rounded to 8 bits.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mixqual.data import ImageSet
from mixqual.distortions import Distortion
from mixqual.evaluation import (
    CLEAN_CELL,
    Answered,
    Answers,
    Cell,
    Cube,
    distort_cell,
    draw_seed,
    level_rows,
)
from mixqual.fusion import answers_in
from mixqual.plan import Plan

_CLASSES, _DISTORTIONS, _FAILURES = 4, 4, 6
_QUALITY = 90

EXAMPLES_RULE = (
    "of each class the test image with the median number of right answers over all models and "
    "columns, the first by name of equal ones"
)
LEVELS_RULE = (
    "the lowest level at which the first expert has lost at least half of all the accuracy that it "
    "loses up to the strongest"
)
FAILURES_RULE = "the images that the mixture is most sure of and wrong about"


@final
@dataclass(frozen=True)
class Tested:
    """A training's outputs on the test images, and what every model answers."""

    cube: Cube
    answers: Answers
    seed: int
    """Of the sweep."""


@final
@dataclass(frozen=True)
class _Column:
    """A cell that is shown, and what is known of all test images in it."""

    cell: Cell
    row: int
    answers: Mapping[str, Answered]
    """What the models say that give probabilities."""
    weights_NE: NDArray[np.float32]


def choose_examples(plan: Plan, images: ImageSet, tested: Tested) -> dict[str, Any]:
    """Return the content of `examples.json`: rules, examples and failures (see docs/results.md)."""
    columns = [_column(plan, tested, row) for row in _rows(plan, tested)]

    def shown(column: _Column, number: int) -> dict[str, Any]:
        pixels_CHW = _distorted(images, number, column.cell, plan.distortions, tested.seed)
        return {"pixels": _data_uri(pixels_CHW), **_judged(plan, column, number)}

    return {
        "levels_rule": LEVELS_RULE,
        "examples_rule": EXAMPLES_RULE,
        "failures_rule": FAILURES_RULE,
        "credit": images.images.credit,
        "classes": list(images.classes),
        "cells": [_place(column.cell) for column in columns],
        "examples": [
            {**_identity(images, number), "cells": [shown(column, number) for column in columns]}
            for number in _examples(images, tested, [column.row for column in columns])
        ],
        "failures": [
            {**_identity(images, number), **_place(column.cell), **shown(column, number)}
            for column in columns
            for number in _failures(tested, column)
        ],
    }


def _rows(plan: Plan, tested: Tested) -> list[int]:
    """The clean cell, and one of each of the first distortions that experts are trained on."""
    first = next(iter(plan.config.experts))
    rows = [tested.cube.cells.index(CLEAN_CELL)]
    names = [name for name in plan.levels if name not in plan.held_out]
    for name in names[:_DISTORTIONS]:
        of_name = level_rows(tested.cube.cells, name, plan.levels[name])
        accuracy_V = (tested.answers[first][of_name] == tested.cube.labels_N).mean(1)
        lost_V = accuracy_V[0] - accuracy_V[1:]
        rows.append(of_name[1 + int(np.argmax(lost_V >= lost_V.max() / 2))])
    return rows


def _column(plan: Plan, tested: Tested, row: int) -> _Column:
    experts = list(plan.config.experts)
    baselines = [name for name in plan.networks if name in plan.config.baselines]
    cell = tested.cube.cells[row]
    answers = answers_in(tested.cube, cell, experts, baselines)
    return _Column(cell, row, answers, tested.cube.arrays["gate"].read(cell))


def _examples(images: ImageSet, tested: Tested, rows: Sequence[int]) -> list[int]:
    labels_N, ids = tested.cube.labels_N, images.ids
    right_N = sum((answers[rows] == labels_N).sum(0) for answers in tested.answers.values())
    present = np.unique(labels_N)
    places = np.linspace(0, len(present) - 1, min(_CLASSES, len(present))).round().astype(int)
    chosen = []
    for label in present[places]:
        numbers = np.flatnonzero(labels_N == label).tolist()
        numbers.sort(key=lambda number: (right_N[number], ids[number]))
        chosen.append(numbers[(len(numbers) - 1) // 2])
    return chosen


def _failures(tested: Tested, column: _Column) -> list[int]:
    mixed = column.answers["mix"]
    wrong_N = mixed.class_N != tested.cube.labels_N
    order_N = np.argsort(np.where(wrong_N, -mixed.confidence_N, 1.0), kind="stable")
    return [int(number) for number in order_N[: min(_FAILURES, int(wrong_N.sum()))]]


def _place(cell: Cell) -> dict[str, Any]:
    return {"distortion": cell.distortion, "level": cell.level}


def _identity(images: ImageSet, number: int) -> dict[str, Any]:
    return {"id": images.ids[number], "label": int(images.labels_N[number])}


def _judged(plan: Plan, column: _Column, number: int) -> dict[str, Any]:
    weights_E = column.weights_NE[number]
    return {
        "answers": {
            model: {
                "class": int(said.class_N[number]),
                "confidence": _rounded(said.confidence_N[number]),
            }
            for model, said in column.answers.items()
        },
        "weights": dict(zip(plan.config.experts, map(_rounded, weights_E), strict=True)),
    }


def _distorted(
    images: ImageSet, number: int, cell: Cell, distortions: Mapping[str, Distortion], seed: int
) -> Tensor:
    image_1CHW, _ = images.batch([number])
    distorted_1CHW = distort_cell(image_1CHW, cell, distortions, draw_seed(seed, cell))
    return distorted_1CHW[0].round().clamp(0, 255).to(torch.uint8)


def _data_uri(pixels_CHW: Tensor) -> str:
    file = BytesIO()
    Image.fromarray(pixels_CHW.permute(1, 2, 0).numpy()).save(file, "WEBP", quality=_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _rounded(value: float) -> float:
    return round(float(value), 4)
