"""What a model is compared with: the error rates of a baseline, if they are of the same images."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from mixqual.artifacts import key_of, parse_json
from mixqual.data import DecodedImages
from mixqual.errors import StudyError
from mixqual.evaluation.corruption_error import ALEXNET, ErrorRates

ALEXNET_NAME = "alexnet"
"""What asks for AlexNet's published errors, where the name of a file may stand."""
IMAGENET_C = "imagenet_c"
"""The kind, in results, of a distortion whose levels are ImageNet-C's severities."""
IMAGENET_CLASSES = 1000
_SEVERITIES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
_OF_A_GRID = ("levels", "unit", "kind", "options", "parts", "code", "steps")


def images_fingerprint(images: DecodedImages) -> str:
    """16 hexadecimal digits that tell images and their classes, wherever the files lie."""
    classes = [images.classes[label] for label in images.labels_N]
    contents = images.pixel_hashes or images.ids
    return key_of({"images": [list(pair) for pair in zip(classes, contents, strict=True)]})


def error_rates(results: Mapping[str, Any], model: str) -> ErrorRates:
    """The error rates of a model of results, over each distortion's levels but the clean one."""
    accuracy = results["accuracy"][model]
    curves = {name: list(accuracy[name].values()) for name in results["distortions"]}
    return ErrorRates(
        name=model,
        clean=1 - next(iter(curves.values()))[0],
        distorted={name: 1 - fmean(curve[1:]) for name, curve in curves.items()},
    )


def alexnet_baseline(distortions: Mapping[str, Any], outputs: int) -> ErrorRates:
    """AlexNet's published errors, for a model with so many outputs on these grids of results.

    Raises `StudyError` unless they are corruptions of ImageNet-C at its severities 1 to 5, on a
    model of ImageNet's 1000 classes: the errors say nothing about anything else.
    """
    for name, grid in distortions.items():
        severities = grid["kind"] == IMAGENET_C and list(grid["levels"]) == _SEVERITIES
        if not severities or name not in ALEXNET.distorted:
            raise StudyError(
                f'baseline = "{ALEXNET_NAME}" is for ImageNet-C at severities 1 to 5, which '
                f"{name} at {len(grid['levels']) - 1} levels is not; measure ImageNet-C, or give "
                "the results of another model as the baseline"
            )
    if outputs != IMAGENET_CLASSES:
        raise StudyError(
            f'baseline = "{ALEXNET_NAME}" is for models of ImageNet\'s {IMAGENET_CLASSES} classes, '
            f"but this one has {outputs}; give the results of another model as the baseline"
        )
    return ALEXNET


def read_baseline(path: Path) -> dict[str, Any]:
    """Read results that `mixqual evaluate` wrote as JSON.

    Raises `StudyError` if the file is missing, or something else.
    """
    try:
        results = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"baseline {path} cannot be read ({error}); {_HOW}") from None
    fields = ("models", "distortions", "accuracy", "metrics", "provenance")
    missing = [name for name in fields if not isinstance(results, dict) or name not in results]
    if missing or "images_fingerprint" not in results["provenance"]:
        what = ", ".join(missing) or "provenance.images_fingerprint"
        raise StudyError(f"baseline {path} holds no results of mixqual evaluate: no {what}; {_HOW}")
    return dict(results)


def results_baseline(
    path: Path, baseline: Mapping[str, Any], results: Mapping[str, Any]
) -> ErrorRates:
    """The error rates of a baseline's results, if they compare with these results of a model.

    Raises `StudyError` unless both are of the same images, and the baseline has every distortion of
    the results at the same levels.
    """
    own, other = results["provenance"], baseline["provenance"]
    if own["images_fingerprint"] != other["images_fingerprint"]:
        raise StudyError(
            f"baseline {path} is of other images ({other['images']['test']} of "
            f"{len(other['classes'])} classes) than this model's ({own['images']['test']} of "
            f"{len(own['classes'])}); evaluate both on the same"
        )
    for name, grid in results["distortions"].items():
        theirs = baseline["distortions"].get(name)
        if theirs is None:
            raise StudyError(
                f"baseline {path} has no {name}, only {', '.join(baseline['distortions'])}; "
                "evaluate both with the same distortions"
            )
        for field in _OF_A_GRID:
            if theirs.get(field) != grid.get(field):
                raise StudyError(
                    f"baseline {path} has {name} with {field} {theirs.get(field)}, this model with "
                    f"{grid.get(field)}; evaluate both with the same distortions, levels and size"
                )
    rates = error_rates(baseline, baseline["models"][0])
    return ErrorRates(rates.name, rates.clean, rates.distorted, source=str(path))


_HOW = 'write one with mixqual evaluate ... --json > baseline.json, or give "alexnet"'
