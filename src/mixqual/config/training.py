"""How networks and the gate are trained: settings of the one fit loop, and recipes of them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mixqual.config.table import MOST_NETWORKS, Name, Table

Fractions = Annotated[
    dict[Name, Annotated[float, Field(gt=0, le=1)]], Field(max_length=MOST_NETWORKS)
]

MOST_EPOCHS, MOST_BATCH, _MOST_RATE = 100_000, 2**16, 1e3

_LATER: Mapping[str, Any] = {
    "kind": "paper",
    "precision": "float32",
    "optimizer": "sgd",
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "average": 0.0,
    "early_stopping": True,
    "horizontal_flip": False,
    "vertical_flip": False,
    "quarter_turns": False,
    "crop_scale": 1.0,
    "label_smoothing": 0.0,
    "stochastic_depth": 0.0,
    "start": "clean",
}
"""Settings that did not always exist, and what they stood for then: the paper's recipe."""

_MODERN: Mapping[str, Any] = {
    "optimizer": "adamw",
    "lr": 0.002,
    "lr_new": 0.002,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup": 0.05,
    "average": 0.99,
    "early_stopping": False,
    "max_epochs": 60,
    "distorted": 0.75,
    "label_smoothing": 0.1,
    "start": "backbone",
}


class FitConfig(Table):
    """The one fit loop; the defaults are the paper's recipe (Section 2), and our decisions.

    That is stochastic gradient descent until the validation loss stops falling.
    """

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    recipe: Literal["paper", "modern"] = Field("paper", exclude=True)
    """What the other settings are where the study says nothing: "paper", or "modern", by which an
    ordinary training of today goes (docs/training.md). A study's [training] says it for all."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.001, gt=0, le=_MOST_RATE)
    """The highest learning rate."""
    lr_new: float = Field(0.01, gt=0, le=_MOST_RATE)
    """Learning rate of the new last layer."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of "sgd"."""
    weight_decay: float = Field(0.0, ge=0, le=_MOST_RATE)
    """Of matrices and kernels: biases and norms do not decay."""
    schedule: Literal["constant", "cosine"] = "constant"
    """"cosine" lets the rate fall to zero over all `max_epochs`."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """Under "cosine": the share of all steps in which the rate rises from zero."""
    average: float = Field(0.0, ge=0, lt=1)
    """Decay per step of a running average of weights and buffers, which is what is validated and
    kept; it averages over fewer steps at first. 0 keeps the weights of the last step."""
    batch_size: int = Field(32, ge=1, le=MOST_BATCH)
    """Images per step, over all processes together."""
    early_stopping: bool = True
    """Whether to stop after `patience` epochs without a lower validation loss and keep the best;
    otherwise the last weights after `max_epochs` are kept, and validation is now and then."""
    patience: int = Field(5, ge=1, le=MOST_EPOCHS)
    """Epochs without a lower validation loss before training stops."""
    max_epochs: int = Field(50, ge=1, le=MOST_EPOCHS)
    """Epochs; with `early_stopping`, at most."""
    distorted: float = Field(0.5, gt=0, le=1, exclude=True)
    """Share of each mini-batch that is distorted, in equal parts, where `distort` is a list."""
    horizontal_flip: bool = False
    """Mirror half of the images, before they are distorted (as in all that follows): for images
    whose mirrored form could be of the same class."""
    vertical_flip: bool = False
    """Turn half of the images upside down: for images without an up and down."""
    quarter_turns: bool = False
    """Turn images by 0, 90, 180 or 270 degrees: for images without a direction."""
    crop_scale: float = Field(1.0, gt=0, le=1)
    """Crop images at random, to at least this share of their area, and enlarge that; 1 crops
    nothing."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What training computes in; "bfloat16" (by torch.autocast; weights and validation stay in
    float32) pays on GPUs, and on CPUs that have it for networks of large convolutions."""

    @model_validator(mode="before")
    @classmethod
    def _by_recipe(cls, values: Any) -> Any:
        return cls._filled(values) if isinstance(values, dict) else values

    @classmethod
    def _filled(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        recipe = values.get("recipe")
        return {**(cls.recipes.get(recipe, {}) if isinstance(recipe, str) else {}), **values}

    @classmethod
    def share_distorted(cls, values: Any) -> float:
        """The `distorted` of a table that is not yet checked."""
        filled = cls._filled(values) if isinstance(values, dict) else {}
        share = filled.get("distorted", cls.model_fields["distorted"].default)
        return float(share) if isinstance(share, (int, float)) else 0.5

    @property
    def settings(self) -> dict[str, Any]:
        """All of them, those of the recipe included."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def in_words(self) -> str:
        """The recipe, and each setting that differs from it."""
        preset = type(self).model_validate({"recipe": self.recipe}).settings
        changes = [
            f"{name} = {json.dumps(value)}"
            for name, value in self.settings.items()
            if value != preset[name]
        ]
        return f"{self.recipe}, with {', '.join(changes)}" if changes else str(self.recipe)

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later: keys are hashes of this, and older runs have them without.

        A recipe's name is left out too: what it stands for counts.
        """
        fields: dict[str, Any] = dump(self)
        return {
            name: value
            for name, value in fields.items()
            if name not in _LATER or _LATER[name] != value
        }


class TrainingConfig(FitConfig):
    """Fine-tuning of experts, baselines and branches (paper, Section 2)."""

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {"modern": _MODERN}

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target that is spread over all classes."""
    stochastic_depth: float = Field(0.0, ge=0, lt=1)
    """Rate at which residual blocks are left out, rising to this at the last one."""
    start: Literal["clean", "backbone"] = "clean"
    """What networks start from: the expert without distortions, or the backbone's own weights."""


class GateConfig(FitConfig):
    """The gating network (paper, Table 1 and Eq. 5)."""

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "modern": {
            **{k: v for k, v in _MODERN.items() if k not in ("label_smoothing", "start")},
            # It starts from random weights, and its targets are those of clean images, too.
            "lr": 0.001,
            "lr_new": 0.001,
            "max_epochs": 30,
            "distorted": 0.5,
        }
    }

    kind: Literal["paper", "patch"] = "paper"
    """"paper" (Table 1, looks at the whole image), or "patch": a quarter of the parameters and a
    small part of the work, as it looks at the central 32x32 pixels alone."""
    lr: float = Field(0.01, gt=0, le=_MOST_RATE)
    penalty: float = Field(0.01, ge=0, le=1e6)
    """Lambda of Eq. 5."""
    distort: Fractions | None = Field(None, min_length=1)
    """Fraction of each mini-batch per distortion; by default that of `distorted`, shared
    equally."""
