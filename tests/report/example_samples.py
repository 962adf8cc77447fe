"""Made-up images with what three models say of them, as a run's examples.json has them."""

import base64
import io
from typing import Any

from PIL import Image


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
        "levels_rule": "half of the loss",
        "examples_rule": "images of medium difficulty",
        "failures_rule": "the surest mistakes",
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
        "failures": [
            {"id": "two", "label": 2, "distortion": "gaussian_noise", "level": 50.0}
            | cell(250, [1, 0, 1])
        ],
    }
