"""Which stages of a network the experts share (paper, Section 4), and the parts that makes.

A TreeNet shares what comes before its branch point, an Inverted-TreeNet what comes from it on. The
shared stages are those of the network trained on clean images.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import final

from torch import fx, nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks.backbones import Classifier, blank_classifier
from mixqual.networks.branch_points import (
    BranchPoint,
    branch_points,
    find_branch_point,
    stage_end,
)
from mixqual.networks.graph import TracedClassifier, trace


@final
@dataclass(frozen=True)
class Sharing:
    """Shared are the stages before `until`, and those from `from_` on; either may be None."""

    until: str | None = None
    from_: str | None = None

    @property
    def name(self) -> str:
        """Such as "tree_conv4_1", "inverted_fc6", or both joined by "_"."""
        parts = [f"tree_{self.until}"] * bool(self.until)
        return "_".join(parts + [f"inverted_{self.from_}"] * bool(self.from_))

    @property
    def kind(self) -> str:
        """Return "independent", "treenet", "inverted" or "both"."""
        if self.until and self.from_:
            return "both"
        return "treenet" if self.until else "inverted" if self.from_ else "independent"


@final
@dataclass(frozen=True)
class Parts:
    """A classifier in three: shared first stages, the stages of one expert, shared last stages."""

    prefix: nn.Module
    """From images in 0...255 to features; the normalisation alone if no stage is shared."""
    branch: nn.Module
    suffix: nn.Module | None
    """From features to logits; None if the branch ends in the logits itself."""
    new: tuple[nn.Parameter, ...] = ()
    """Those of all parameters that no pre-training has seen."""


@final
class Stages:
    """The stages of one classifier, at whose beginnings it can be cut."""

    def __init__(self, classifier: Classifier, backbone: str) -> None:
        """Raises `BackboneError`, with the reason, if `classifier` cannot be cut.

        `backbone` is its name for messages.
        """
        self._backbone = backbone
        try:
            self._traced: TracedClassifier = trace(classifier)
        except BackboneError as error:
            raise BackboneError(f"{backbone} cannot be cut into stages: {error}") from None
        self.points: list[BranchPoint] = branch_points(self._traced)
        if not self.points:
            raise BackboneError(
                f"{backbone} cannot be cut into stages: at no place does one tensor alone cross"
            )

    def canonical(self, sharing: Sharing) -> Sharing:
        """The same with the names of branch points as they are listed.

        Raises `BackboneError` for an unknown one, or if no stage is left for the experts.
        """
        until, start = (self._find(name) for name in (sharing.until, sharing.from_))
        if until and start and self.points.index(until) >= self.points.index(start):
            raise BackboneError(
                f"{self._backbone}: sharing until {until.name} and from {start.name} leaves no "
                "stage for the experts"
            )
        return Sharing(until.name if until else None, start.name if start else None)

    def divide(self, sharing: Sharing) -> Parts:
        """The parts of the classifier, sharing its parameters. Raises like `canonical`."""
        sharing = self.canonical(sharing)
        until, start = (self._find(name) for name in (sharing.until, sharing.from_))
        first = until.tensor if until else self._traced.normalised
        last = start.tensor if start else None
        return Parts(
            prefix=self._traced.segment(None, first),
            branch=self._traced.segment(first, last),
            suffix=self._traced.segment(last, None) if last else None,
            new=tuple(self._traced.classifier.new_parameters()),
        )

    def between(self, start: str | None, end: str) -> fx.GraphModule:
        """The operations from one branch point to another; None is before the images' scaling.

        Raises `BackboneError` for an unknown name.
        """
        first, last = self._find(start), self._find(end)
        assert last is not None
        return self._traced.segment(first.tensor if first else None, last.tensor)

    def split(self) -> list[fx.GraphModule]:
        """All stages one after the other; the first is everything before the first branch point."""
        ends = [None, *(point.tensor for point in self.points), None]
        return [self._traced.segment(start, end) for start, end in pairwise(ends)]

    def until_end_of(self, name: str) -> fx.GraphModule:
        """All operations from images in 0...255 to the end of a stage, its activation included.

        A module that can be cut within ends where all of it does. Raises `BackboneError` for an
        unknown stage.
        """
        return self._traced.segment(None, stage_end(self.points, name, self._backbone))

    def _find(self, name: str | None) -> BranchPoint | None:
        return find_branch_point(self.points, name, self._backbone) if name else None


def stages_of(config: BackboneConfig) -> Stages:
    """The stages of a backbone, whatever its weights. Raises `BackboneError` like `Stages`."""
    return Stages(blank_classifier(config, classes=1000), config.name)  # as most have
