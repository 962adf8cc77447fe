"""Test images with what every model says of them, as the page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from mixqual.report.labels import distortion_title, level_quantity, level_unit
from mixqual.report.page.models import Look, model_looks
from mixqual.results.lookups import Examples, Results
from mixqual.results.wording import model_label

_PIXELS = "data:image/"


@final
@dataclass(frozen=True)
class Answer:
    """What one model says of an image."""

    label: str
    """Of the model."""
    class_name: str
    confidence: str
    right: bool
    main: bool
    """Whether the model is one of those whose curves are drawn when the page opens."""


@final
@dataclass(frozen=True)
class View:
    """An image in one quality."""

    pixels: str
    """As a data URI."""
    title: str
    """Its distortion and level."""
    identity: str
    true_class: str
    answers: list[Answer]
    weights: list[tuple[Look, float]]
    """Each expert's look and the weight that the gate gives to it."""


@final
@dataclass(frozen=True)
class Gallery:
    """Everything that the page shows of images."""

    examples: list[list[View]]
    """A list for each image, with a view in each quality."""
    failures: list[View]
    rules: dict[str, str]
    credit: str


def gallery(results: Results, examples: Examples) -> Gallery:
    """The content of examples.json, made ready to be shown.

    Raises `ValueError` for an image that is not a data URI: the page asks nobody for anything.
    """
    places = examples["cells"]
    return Gallery(
        examples=[
            [
                _view(results, examples, example, place, shown)
                for place, shown in zip(places, example["cells"], strict=True)
            ]
            for example in examples["examples"]
        ],
        failures=[
            _view(results, examples, failure, failure, failure) for failure in examples["failures"]
        ],
        rules={
            name: examples[f"{name}_rule"][:1].upper() + examples[f"{name}_rule"][1:]
            for name in ("examples", "levels", "failures")
        },
        credit=examples["credit"],
    )


def _view(
    results: Results,
    examples: Examples,
    image: Mapping[str, Any],
    place: Mapping[str, Any],
    shown: Mapping[str, Any],
) -> View:
    if not shown["pixels"].startswith(_PIXELS):
        raise ValueError(f"{image['id']}: pixels must be a data URI, not {shown['pixels'][:40]!r}")
    classes, looks = examples["classes"], model_looks(results)
    return View(
        pixels=shown["pixels"],
        title=_title(results, place),
        identity=image["id"],
        true_class=classes[image["label"]],
        answers=[
            Answer(
                label=model_label(model),
                class_name=classes[answer["class"]],
                confidence=f"{100 * answer['confidence']:.0f}\N{NO-BREAK SPACE}%",
                right=answer["class"] == image["label"],
                main=looks[model].shown,
            )
            for model, answer in shown["answers"].items()
        ],
        weights=[(looks[expert], weight) for expert, weight in shown["weights"].items()],
    )


def _title(results: Results, place: Mapping[str, Any]) -> str:
    name = place["distortion"]
    if name == "clean":
        return "Clean"
    quantity, unit = level_quantity(results, name), level_unit(results, name)
    return f"{distortion_title(name)}, {quantity} = {place['level']:.3g} {unit}"
