"""Elastic deformation: the image on a rubber sheet that is pulled here and there.

White noise that a Gaussian has smoothed is a sum of Gaussian bumps. Bumps one deviation apart are
close enough (the variance between them differs by 1 in 10,000), so a few hundred random numbers
make a field of any size, by one small matrix product for each axis.
"""

import math
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.displacement import displace
from mixqual.distortions.keyed import generators
from mixqual.distortions.options import check_number

# Bumps are left out if they lie so many deviations outside of the image.
_MARGIN = 5


@final
@register
class Elastic(Distortion):
    """Displaces pixels by a smooth random field; the level is its root mean square, in pixels.

    That is the root of the mean squared length of an image's displacements. Every level scales the
    same field. Between pixels the image is interpolated bilinearly, and its border is mirrored.
    Option: `smoothness`, the deviation of the Gaussian that smooths the field, as a share of the
    shorter side of the image.
    """

    name = "elastic"
    unit = "pixels"
    worst_level = 100.0
    quantity = "displacement"
    scales_with_size = True
    random = True

    def __init__(self, smoothness: float = 0.08) -> None:
        check_number(self.name, "smoothness", smoothness, 0.01, 1)
        self.smoothness = float(smoothness)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        height, width = images_BCHW.shape[2:]
        scale = self.smoothness * min(height, width)
        fields_B2HW = smooth_fields(seed, keys_B, height, width, scale)
        shifts_B2HW = fields_B2HW * levels_B.to(torch.float32)[:, None, None, None]
        return displace(images_BCHW, shifts_B2HW.to(images_BCHW))


def smooth_fields(seed: int, keys_B: Tensor, height: int, width: int, scale: float) -> Tensor:
    """Return smooth random vectors (B, 2, height, width), float32 on the CPU.

    Their squared length has mean one over each image. Each of the two components is white normal
    noise smoothed by a Gaussian of deviation `scale` pixels. What a key gives does not depend on
    the number of pixels, only on the ratio of the sides to `scale`.
    """
    down_HK, across_WL = _bumps(height, scale), _bumps(width, scale)
    heights_2KL = torch.empty((2, down_HK.shape[1], across_WL.shape[1]))
    fields_B2HW = torch.empty((len(keys_B), 2, height, width))
    for field_2HW, generator in zip(fields_B2HW, generators(seed, keys_B), strict=True):
        heights_2KL.normal_(generator=generator)
        # One at a time, so that not even the last bits depend on the batch.
        torch.matmul(down_HK, heights_2KL @ across_WL.T, out=field_2HW)
    mean_squares_B = fields_B2HW.square().sum(1).mean((1, 2)).clamp_min(1e-30)
    return fields_B2HW / mean_squares_B.sqrt()[:, None, None, None]


def _bumps(side: int, scale: float) -> Tensor:
    """A Gaussian about each knot of a line, at the pixels of one axis: (side, knots)."""
    beyond = math.ceil(side / scale / 2) + _MARGIN
    knots_K = torch.arange(-beyond, beyond + 1, dtype=torch.float64)
    places_S1 = (torch.arange(side, dtype=torch.float64)[:, None] - (side - 1) / 2) / scale
    return torch.exp(-0.5 * (places_S1 - knots_K) ** 2).to(torch.float32)
