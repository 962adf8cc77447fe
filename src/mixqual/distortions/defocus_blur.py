"""Defocus: a lens that is out of focus spreads each point over a disk.

The kernel comes from a closed form, a few operations for each weight of a quadrant; the rest of the
time is that of `convolution`.
"""

import math
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.convolution import convolve


@final
@register
class DefocusBlur(Distortion):
    """Convolves with a disk; the level is its radius in pixels, of any fraction.

    Each pixel counts by the area of it that the disk covers. A disk of radius 0.5 or less lies
    within one pixel, and changes nothing. The border is mirrored.
    """

    name = "defocus_blur"
    unit = "pixels"
    worst_level = 200.0
    quantity = "radius"
    scales_with_size = True

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        quadrants_BRR = disk_quadrants(levels_B)
        return convolve(images_BCHW, quadrants_BRR, quadrants_BRR)


def disk_quadrants(radii_B: Tensor) -> Tensor:
    """Return the share of a disk's area in the pixel i rows and j columns from its centre's.

    A quadrant of each kernel (float64, i and j from 0); the whole kernel sums to one. Exact.
    """
    reach = max(0, math.ceil(float(radii_B.max()) - 0.5))
    # In units of the radius: the edges between pixels, as far as the disk reaches.
    edges_BE = (torch.arange(reach + 2, dtype=torch.float64) - 0.5) / radii_B[:, None]
    edges_BE = edges_BE.clamp(-1, 1).abs()
    # Area of a quarter of the unit disk left of and below each corner: a rectangle if the corner
    # lies within the disk, otherwise the quarter less what lies right of it and above it.
    parts_BE = (edges_BE * (1 - edges_BE**2).sqrt() + edges_BE.asin()) / 2
    rights_BE1, tops_B1E = edges_BE[:, :, None], edges_BE[:, None]
    areas_BEE = torch.where(
        rights_BE1**2 + tops_B1E**2 <= 1,
        rights_BE1 * tops_B1E,
        parts_BE[:, :, None] + parts_BE[:, None] - torch.pi / 4,
    )
    # The first edge is on the other side of the centre.
    areas_BEE[:, 0] *= -1
    areas_BEE[:, :, 0] *= -1
    return areas_BEE.diff(dim=1).diff(dim=2).clamp_min(0) / torch.pi
