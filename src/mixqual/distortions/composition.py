"""Several distortions in the order in which light meets them: optics, sensor, file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from mixqual.distortions.base import Distortion
from mixqual.errors import DistortionError
from mixqual.seeding import derive_seed


@final
@dataclass(frozen=True)
class Part:
    """One of the distortions of a composition."""

    kind: Distortion
    strongest: float
    """Its level where the composition's level is 1."""


@final
class Composition(Distortion):
    """Applies its parts in order; the level is the share of the way from none to their strongest.

    Random parts have noise of their own each, from the seed, the image and their place in the
    order. Values that an unlimited noise has pushed out of 0...255 are handed on as they are.
    Raises `DistortionError` without parts, or for a strongest level that its part cannot have.
    """

    name = "composition"
    unit = "of the strongest"
    quantity = "share"
    worst_level = 1.0

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise DistortionError("a composition needs parts")
        for part in parts:
            low, high = part.kind.bounds
            if not low <= part.strongest <= high:
                raise DistortionError(
                    f"the strongest {part.kind.name}, {part.strongest:g}, is outside "
                    f"{low:g}...{high:g} {part.kind.unit}"
                )
        self.parts = tuple(parts)
        self.random = any(part.kind.random for part in parts)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        for place, part in enumerate(self.parts):
            clean = part.kind.clean_level
            part_levels_B = clean + levels_B * (part.strongest - clean)
            images_BCHW = part.kind.apply(
                images_BCHW, part_levels_B, seed=derive_seed(seed, "part", place), keys_B=keys_B
            )
        return images_BCHW
