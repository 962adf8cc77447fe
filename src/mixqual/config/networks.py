"""The tables of a study's networks: how they start, what they learn, what they share."""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mixqual.config.table import Table


class BackboneConfig(Table):
    """The network that every expert is fine-tuned from."""

    name: str
    """A torchvision or timm model name; "timm/NAME" or "torchvision/NAME" where both have it."""
    weights: str = "default"
    """"default" (the library's own, from its hub), "packaged" (the EfficientNet-Lite0 weights of
    the demo extra), "random", or the path of a .safetensors or .pth file."""
    head: Literal["auto", "keep", "new"] = "auto"
    """The last layer: a "new" one, which learns at `training.lr_new`, or that of the weights, which
    "keep" leaves in place to learn as all others do. "auto" keeps that of a file where it is for as
    many classes as the data have."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later, where it is as it was then: hashes stay the same."""
        fields: dict[str, Any] = dump(self)
        return {name: value for name, value in fields.items() if name != "head" or value == "keep"}


Fractions = dict[str, float]

_LATER = {"kind": "paper", "precision": "float32"}
"""Settings that did not always exist, and what they stood for then."""


class ExpertConfig(Table):
    """One expert of the mixture. The one without distortions is trained first and starts all."""

    distort: Fractions = Field(default_factory=dict)
    """Fraction of each mini-batch that gets each distortion; the rest stays clean."""


class BaselineConfig(Table):
    """A single network to compare the mixture with."""

    distort: Fractions = Field(default_factory=dict)
    continues: str | None = None
    """Instead of `distort`: go on training that baseline, up to as many steps as all experts
    together, and keep its best weights. The fair comparison in compute."""
    patience: int | None = Field(None, ge=1)
    """Its own patience, where it differs from `training.patience`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.distort) == bool(self.continues):
            raise ValueError("a baseline needs either `distort` or `continues`")
        return self


class TrainingConfig(Table):
    """Fine-tuning by stochastic gradient descent with momentum (paper, Section 2)."""

    lr: float = Field(0.001, gt=0)
    lr_new: float = Field(0.01, gt=0)
    """Learning rate of the new last layer."""
    momentum: float = Field(0.9, ge=0, lt=1)
    batch_size: int = Field(32, ge=1)
    """Images per step, over all processes together."""
    patience: int = Field(5, ge=1)
    """Epochs without a lower validation loss before training stops."""
    max_epochs: int = Field(50, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    """What training computes in; "bfloat16" (by torch.autocast; weights and validation stay in
    float32) pays on GPUs, and on CPUs that have it for networks of large convolutions."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later: keys are hashes of this, and older runs have them without."""
        fields: dict[str, Any] = dump(self)
        return {name: value for name, value in fields.items() if _LATER.get(name) != value}


class GateConfig(TrainingConfig):
    """The gating network (paper, Table 1 and Eq. 5)."""

    kind: Literal["paper", "patch"] = "paper"
    """"paper" (Table 1, looks at the whole image), or "patch": a quarter of the parameters and a
    small part of the work, as it looks at the central 32x32 pixels alone."""
    lr: float = Field(0.01, gt=0)
    penalty: float = Field(0.01, ge=0)
    """Lambda of Eq. 5."""
    distort: Fractions | None = Field(None, min_length=1)
    """Fraction of each mini-batch per distortion; by default half, shared equally."""


class SharingConfig(Table):
    """Mixtures whose experts share stages (paper, Section 4): one for each `until` and `from`.

    A TreeNet has `until` only, an Inverted-TreeNet `from` only; `mixqual cost` lists the stages.
    """

    until: str | tuple[str, ...] = ()
    """The experts share all stages before this one."""
    from_: str | tuple[str, ...] = Field((), alias="from")
    """The experts share this stage and all after it."""
    weights: Literal["reuse", "resolve"] = "reuse"
    """Mix with the weights and the gate of the independent experts, or with their own: Eq. 4 solved
    anew for what the branches give, and a gate trained on that."""
    control: bool = True
    """Also train the first baseline with the same stages frozen: what freezing alone does."""
    training: TrainingConfig | None = None
    """How branches are trained, instead of [training]: what it leaves out has the paper's value."""

    @model_validator(mode="after")
    def _shares_something(self) -> Self:
        given = (self.until, self.from_)
        names = [name for each in given for name in ((each,) if isinstance(each, str) else each)]
        if not names or "" in names:
            raise ValueError("name the stage that sharing lasts `until`, or starts `from`, or both")
        return self
