"""What a bundle says of itself: the structure of its network, and what it was trained for."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mixqual.config import LONGEST_CLASS, MOST_CLASSES, MOST_NETWORKS, Table

FORMAT = 1
"""Raised when a reader of the format before would misread a bundle."""

NO_GATE = "none"
"""The kind of gate of one network alone."""

MOST_PIXELS = 4096
"""Side of the images, as a study may have them."""

_OFF_BY = 1e-3
"""What weights may differ from a sum of one."""

Mean = Annotated[float, Field(ge=-1e3, le=1e3)]
Deviation = Annotated[float, Field(ge=1e-3, le=1e3)]
Weight = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_CLASS)]


class Grid(Table):
    """A distortion that the study trained for, and which experts it calls for."""

    unit: str
    quantity: str
    levels: tuple[float, ...] = Field(min_length=2, max_length=10_000)
    """From the clean one on, as they are for images of the bundle's size."""
    weights: tuple[tuple[Weight, ...], ...]
    """The optimal weights of the experts (Eq. 4) at each level."""


class Trust(Table):
    """How the answers are calibrated and sorted out, and what came of it on test images."""

    temperature: float = Field(gt=0)
    usable: float = Field(ge=0)
    """An answer at least this sure is usable."""
    retake: float = Field(ge=0)
    """An image whose answer is less sure should be taken again."""
    rule: str
    errors: dict[str, Share | None]
    """Verdict to the share of test images with it that were wrong, over all distortions."""


class Threshold(Table):
    """The threshold of weights that the study chose on validation images, and what came of it.

    Numbers are those of M_mix on test images, means over the trainings of the study.
    """

    tau: float = Field(ge=0, le=1)
    experts: float = Field(ge=1)
    """Experts run for an image, on average."""
    auc: Share
    """The average AUC that it keeps."""


class Manifest(Table):
    """All that is needed to build the network again, and to read its answers."""

    name: str
    """Of the study."""
    model: str
    """Its name in the results of the study: "mix", or that of a tree or of one network."""
    version: str
    """Of mixqual, which wrote the bundle."""
    commit: str | None
    seed: int
    classes: tuple[Name, ...] = Field(min_length=2, max_length=MOST_CLASSES)
    experts: tuple[Name, ...] = Field(min_length=1, max_length=MOST_NETWORKS)
    """What is mixed; one network alone is a mixture of itself, without a gate."""
    clean: str
    """The expert whose stages are shared."""
    backbone: Name
    size: int = Field(ge=16, le=MOST_PIXELS)
    """Side of the images in pixels."""
    interpolation: Literal["bilinear", "bicubic"]
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Deviation, Deviation, Deviation]
    """Of the normalisation, as fractions of full scale."""
    gate: Literal["paper", "patch", "none"] = "paper"
    """Its kind, "none" for one network alone; bundles of before there were two do not say it."""
    until: str | None
    from_: str | None = Field(alias="from")
    """The stages that the experts share: those before `until`, and those from `from` on."""
    distortions: dict[Name, Grid] = Field(min_length=1)
    gray_noise: bool = False
    """Whether noise was the same in all channels, as of a sensor without colour."""
    trust: Trust | None
    """None for runs of before it was measured, as mixtures that share stages and single networks
    came later than M_mix, and for networks whose stages were frozen like those of a tree."""
    threshold: Threshold | None = None
    """For conditional inference; None for mixtures that share stages, and for runs of before there
    was one."""
    auc: dict[str, Share]
    """The average AUC on test images of the model and of what it was compared with."""

    @property
    def is_mixture(self) -> bool:
        """Whether a gate weighs experts; if not, one network answers."""
        return self.gate != NO_GATE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for what, names in (("classes", self.classes), ("experts", self.experts)):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}")
        for name in self.experts:  # which stand before a slash in the names of tensors
            if any(other.startswith(f"{name}/") for other in self.experts):
                raise ValueError(f"the expert {name!r} has a name that another begins with")
        if self.clean not in self.experts:
            raise ValueError(f"{self.clean!r} is none of the experts")
        for name, grid in self.distortions.items():
            if len(grid.weights) != len(grid.levels):
                raise ValueError(f"{name}: {len(grid.levels)} levels, {len(grid.weights)} weights")
            if any(len(row) != len(self.experts) for row in grid.weights):
                raise ValueError(f"{name}: each level needs a weight for each expert")
            if any(abs(sum(row) - 1) > _OFF_BY for row in grid.weights):
                raise ValueError(f"{name}: the weights of a level must add up to one")
        whole = len(self.experts) == 1 and not (self.until or self.from_ or self.threshold)
        if not self.is_mixture and not whole:
            raise ValueError("only one whole network alone has no gate")
        return self
