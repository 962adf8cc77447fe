"""How the trainings of a run ended, its gates and its trees."""

from typing import Literal, final

from pydantic import Field

from mixqual.config.table import Table
from mixqual.results.table import Count


@final
class Training(Table):
    """How the training of one network ended."""

    steps: Count
    epochs: Count
    best_epoch: Count
    val_loss: float
    parts: Count = 1
    """In how many parts each batch went through the network: 2 if memory ran out."""
    artifact: str | None = None
    """Where its weights are, below `artifacts`; None in old results."""


@final
class Gate(Table):
    """A gate of one training, and what one would lose that says the same of every image."""

    seed: int
    val_loss: float
    constant_loss: float
    beats_constant: bool
    artifact: str | None = None
    """As of `Training`."""


ByExpert = dict[str, dict[str, dict[str, float]]]
"""A number for each expert, by distortion and level."""


@final
class Tree(Table):
    """A mixture whose experts share stages (Section 4)."""

    model: str
    kind: Literal["treenet", "inverted", "both"]
    until: str | None
    """The branch point up to which stages are shared; None of none."""
    from_: str | None = Field(alias="from")
    """The branch point from which on they are."""
    control: str | None
    ceiling: str
    weights: Literal["reuse", "resolve"]
    gate: tuple[Gate, ...] = ()
    """Gates of its own, if its weights are solved anew."""
    resolved: ByExpert = Field(default_factory=dict)
    """Optimal weights of its own, if they are; means over trainings."""
