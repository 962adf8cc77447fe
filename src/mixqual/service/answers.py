"""The bodies of all answers, as the OpenAPI document has them."""

from dataclasses import asdict, dataclass
from typing import Any, final

from pydantic import BaseModel

from mixqual.deploy import Manifest, Prediction
from mixqual.deploy.manifest import Trust
from mixqual.errors import DataError
from mixqual.service.engine import Degradation, Explained
from mixqual.service.images import data_uri
from mixqual.service.refusals import DESCRIPTIONS, Refusal


class Failure(BaseModel):
    """Why there is no answer."""

    error: str


@final
class Predictions(BaseModel):
    """One entry for each image, in order."""

    predictions: list[Prediction | Failure]


@final
class Exploration(BaseModel):
    """What a mixture and its experts, or one network, make of one image, degraded as asked."""

    image: str
    """The degraded image as the networks saw it, clipped to 8 bits: a PNG file as a data URI."""
    noise: float
    blur: float
    seed: int
    prediction: Prediction
    experts: dict[str, dict[str, float]] | None
    """Expert to class to probability, each as if there were no other, not calibrated; null if they
    cannot be asked alone."""


@final
class State(BaseModel):
    """Whether the service lives, or takes requests."""

    status: str


@final
@dataclass(frozen=True)
class Levels:
    """A distortion that the study trained for."""

    unit: str
    quantity: str
    levels: tuple[float, ...]


@final
class Model(BaseModel):
    """What the bundle says of itself that is of use to those who send images."""

    name: str
    model: str
    classes: tuple[str, ...]
    experts: tuple[str, ...]
    """What is mixed, or the one network."""
    gate: str
    """What weighs the experts: "paper" or "patch", or "none" of one network."""
    size: int
    """Side of the images in pixels."""
    distortions: dict[str, Levels]
    trust: Trust | None
    auc: dict[str, float]


def predictions(results: list[Prediction | DataError]) -> dict[str, Any]:
    """The body that `Predictions` describes."""
    return {
        "predictions": [
            {"error": str(result)} if isinstance(result, DataError) else asdict(result)
            for result in results
        ]
    }


def exploration(degradation: Degradation, found: Explained) -> dict[str, Any]:
    """The body that `Exploration` describes."""
    return {
        "image": data_uri(found.image_CHW),
        **degradation._asdict(),
        "prediction": asdict(found.prediction),
        "experts": found.experts,
    }


def model(manifest: Manifest) -> dict[str, Any]:
    """The body that `Model` describes."""
    fields = set(Model.model_fields) - {"distortions"}
    grids = {
        name: grid.model_dump(mode="json", exclude={"weights"})
        for name, grid in manifest.distortions.items()
    }
    return {**manifest.model_dump(mode="json", include=fields), "distortions": grids}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares besides its answer."""
    return {
        status: {"model": Failure, "description": DESCRIPTIONS[status], **_headers(status)}
        for status in statuses
    }


def failure(refusal: Refusal) -> dict[str, str]:
    """The body that `Failure` describes."""
    return {"error": refusal.text}


def _headers(status: int) -> dict[str, Any]:
    if status not in (429, 503):
        return {}
    header = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
    return {"headers": {"Retry-After": header}}
