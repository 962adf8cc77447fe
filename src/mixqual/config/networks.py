"""The tables of a study's networks: how they start, what they learn, what they share."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mixqual.config.table import MOST_NETWORKS, Name, Table, Text
from mixqual.config.training import MOST_EPOCHS, Fractions, TrainingConfig

_Stages = Text | Annotated[tuple[Text, ...], Field(max_length=MOST_NETWORKS)]


class BackboneConfig(Table):
    """The network that every expert is fine-tuned from."""

    name: Text
    """A torchvision or timm model name; "timm/NAME" or "torchvision/NAME" where both have it."""
    weights: Text = "default"
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


class ExpertConfig(Table):
    """One expert of the mixture. The one without distortions is trained first and starts all."""

    distort: Fractions = Field(default_factory=dict)
    """Fraction of each mini-batch that gets each distortion; the rest stays clean. A list of
    distortions shares `training.distorted` equally."""
    start: Name | None = None
    """The network that it starts from instead of what `training.start` says, such as a baseline
    trained on all distortions."""
    training: TrainingConfig | None = None
    """How it is trained, where that differs from [training]: settings of another recipe, or some
    settings that take the place of those there."""


class BaselineConfig(Table):
    """A single network to compare the mixture with."""

    distort: Fractions = Field(default_factory=dict)
    """As of an expert."""
    continues: Name | None = None
    """Instead of `distort`: go on training that baseline, up to as many steps as all experts
    together, and keep its best weights. The fair comparison in compute under a constant rate;
    under a schedule give `distort`, and in `training` the `max_epochs` of all experts together."""
    start: Name | None = None
    """As of an expert."""
    patience: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    """Its own patience, where it differs from `training.patience`."""
    training: TrainingConfig | None = None
    """As of an expert."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.distort) == bool(self.continues):
            raise ValueError("a baseline needs either `distort` or `continues`")
        if self.continues and (self.start or self.training):
            raise ValueError(
                "a baseline that `continues` another has neither a `start` nor a `training`"
            )
        return self


class SharingConfig(Table):
    """Mixtures whose experts share stages (paper, Section 4): one for each `until` and `from`.

    A TreeNet has `until` only, an Inverted-TreeNet `from` only; `mixqual cost` lists the stages.
    """

    until: _Stages = ()
    """The experts share all stages before this one."""
    from_: _Stages = Field((), alias="from")
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
