"""Frosted glass: its rough surface sends each ray to a neighbouring place.

The time is that of two uniform numbers for each pixel, one resampling, and two small Gaussian
blurs.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.displacement import displace
from mixqual.distortions.gaussian_blur import GaussianBlur
from mixqual.distortions.keyed import generators
from mixqual.distortions.options import check_number


@final
@register
class GlassBlur(Distortion):
    """Takes each pixel from a random place; the level is how far, in pixels.

    Displacements are uniform within ±level along each axis and independent between pixels; every
    level scales the same ones. Between pixels the image is interpolated bilinearly, and its border
    is mirrored. Option: `sigma`, the deviation of the Gaussian that smooths the image before and
    after, as a share of the level (0 for none).
    """

    name = "glass_blur"
    unit = "pixels"
    worst_level = 100.0
    quantity = "displacement"
    scales_with_size = True
    random = True

    def __init__(self, sigma: float = 0.4) -> None:
        check_number(self.name, "sigma", sigma, 0, 10)
        self.sigma = float(sigma)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        batch, _, height, width = images_BCHW.shape
        # Drawn on the CPU wherever the images are, so that every device sees the same pixels.
        shifts_B2HW = torch.empty((batch, 2, height, width))
        for shifts_2HW, generator in zip(shifts_B2HW, generators(seed, keys_B), strict=True):
            shifts_2HW.uniform_(-1, 1, generator=generator)
        shifts_B2HW *= levels_B.to(torch.float32)[:, None, None, None]
        smoothed_BCHW = self._smoothed(images_BCHW, levels_B)
        return self._smoothed(displace(smoothed_BCHW, shifts_B2HW.to(images_BCHW)), levels_B)

    def _smoothed(self, images_BCHW: Tensor, levels_B: Tensor) -> Tensor:
        if self.sigma == 0:
            return images_BCHW
        return GaussianBlur().apply(images_BCHW, self.sigma * levels_B, seed=0, keys_B=None)
