"""The training schedule: which images of a mini-batch are distorted, by what, and how much.

Paper, Sections 2 and 3: an exact fraction of each mini-batch gets each distortion, at random
positions, with levels drawn afresh from U(0, max) every time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion


@final
@dataclass(frozen=True)
class Assignment:
    """The distortion and level of each image of a batch."""

    kinds_B: Tensor
    """Index into the schedule's distortions (int64); -1 for a clean image."""
    levels_B: Tensor
    """Level in the distortion's unit (float64); 0 for a clean image."""

    def part(self, chosen: slice) -> "Assignment":
        """The assignment of some of the images, as for one of several processes."""
        return Assignment(self.kinds_B[chosen], self.levels_B[chosen])


@final
@dataclass(frozen=True)
class Schedule:
    """Exact fractions of each batch for each distortion, levels uniform between two bounds."""

    fractions: Mapping[str, float]
    """Fraction of a batch per distortion; what they leave over stays clean."""
    ranges: Mapping[str, tuple[float, float]]
    """Clean and worst level per distortion, of every distortion drawn from, in a fixed order."""

    def draw(self, batch: int, seed: int) -> Assignment:
        """Assign distortions to `batch` images; the same seed gives the same assignment.

        Counts are exact: each distortion gets its fraction of the batch rounded down, and images
        that rounding leaves over go to the largest remainders, the clean share included.
        """
        generator = torch.Generator().manual_seed(seed)
        names = list(self.ranges)
        counts = self.counts(batch)
        kinds_B = torch.cat(
            [torch.full((counts[name],), index) for index, name in enumerate(names)]
            + [torch.full((batch - sum(counts.values()),), -1)]
        )
        kinds_B = kinds_B[torch.randperm(batch, generator=generator)]
        # The last row is that of clean images, whose kind is -1.
        ranges_D2 = torch.tensor([*self.ranges.values(), (0.0, 0.0)], dtype=torch.float64)
        clean_B, worst_B = ranges_D2[kinds_B].T
        uniform_B = torch.rand(batch, generator=generator, dtype=torch.float64)
        return Assignment(kinds_B, clean_B + uniform_B * (worst_B - clean_B))

    def counts(self, batch: int) -> dict[str, int]:
        """How many of `batch` images get each distortion."""
        shares = {name: batch * self.fractions.get(name, 0.0) for name in self.ranges}
        shares[""] = batch - sum(shares.values())  # the clean images
        # Rounded first, so that 32 * 0.1 + 32 * 0.2 and the like lose no image to binary fractions.
        counts = {name: int(round(share, 9)) for name, share in shares.items()}
        left = batch - sum(counts.values())
        by_remainder = sorted(shares, key=lambda name: round(counts[name] - shares[name], 9))
        for name in by_remainder[:left]:
            counts[name] += 1
        del counts[""]
        return counts


def distort(
    images_BCHW: Tensor, assignment: Assignment, distortions: Mapping[str, Distortion], seed: int
) -> Tensor:
    """Apply each image's assigned distortion, one call per kind; `images_BCHW` is not changed.

    `distortions` are in the order of the schedule's `ranges`. The distortions' contract holds.
    """
    result_BCHW = images_BCHW.clone()
    for index, kind in enumerate(distortions.values()):
        chosen_B = assignment.kinds_B == index
        if not bool(chosen_B.any()):
            continue
        part_BCHW = images_BCHW[chosen_B]
        result_BCHW[chosen_B] = kind(part_BCHW, assignment.levels_B[chosen_B], seed=seed)
    return result_BCHW
