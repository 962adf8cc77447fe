"""The first stages of one network, which several trees begin with: run once for each batch."""

from collections.abc import Iterable
from typing import final

from torch import Tensor, nn

from mixqual.networks.sharing import Stages


@final
class FirstStages:
    """What comes before each of some branch points of a network; a later one goes on from earlier.

    What a batch becomes is kept until the next batch, which is another tensor: so nobody may change
    a batch in place.
    """

    def __init__(self, stages: Stages, untils: Iterable[str]) -> None:
        """`untils` are names of branch points as they are listed."""
        wanted = set(untils)
        names = [point.name for point in stages.points if point.name in wanted]
        self._segments = {
            end: stages.between(start, end)
            for start, end in zip([None, *names], names, strict=False)
        }
        self._images: Tensor | None = None
        self._features: dict[str, Tensor] = {}

    def until(self, name: str) -> nn.Module:
        """A module from images to what crosses the branch point, to be the prefix of a tree."""
        return _Until(self, name)

    def features(self, images_BCHW: Tensor, until: str) -> Tensor:
        """What images become before a branch point, a copy that is the caller's own."""
        if images_BCHW is not self._images:
            self._images, self._features = images_BCHW, {}
        value = images_BCHW
        for name, segment in self._segments.items():
            if name not in self._features:
                # A segment may begin with an operation in place.
                self._features[name] = segment(value.clone())
            value = self._features[name]
            if name == until:
                break
        return value.clone()


@final
class _Until(nn.Module):
    def __init__(self, first: FirstStages, name: str) -> None:
        super().__init__()
        self._first, self._name = first, name

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self._first.features(images_BCHW, self._name)
