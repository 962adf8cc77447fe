"""Zoom blur: the camera moved towards its object, or zoomed in, during the exposure.

Each step is one bilinear resampling of all images that still have steps left, by PyTorch's
vectorised sampler, so an image costs as many resamplings as its own level asks for.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from mixqual.distortions.averages import as_averages
from mixqual.distortions.base import Distortion, register


@final
@register
class ZoomBlur(Distortion):
    """Takes the mean of an image zoomed in about its centre; the level is the largest zoom less 1.

    Zooms are even from 1 to 1 + level, both included, and so many that from one to the next the
    middle of a border moves by a pixel at most. Between pixels the image is interpolated
    bilinearly.
    """

    name = "zoom_blur"
    unit = "of the size"
    worst_level = 2.0
    quantity = "zoom"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        height, width = images_BCHW.shape[2:]
        # Between zooms z and z + dz a border at distance d moves by d * dz at most, where z is 1.
        steps_B = (levels_B * (max(height, width) - 1) / 2).ceil().clamp_min(1).long()
        steps_B, order_B = steps_B.sort(descending=True)
        levels_B, order_B = levels_B[order_B], order_B.to(images_BCHW.device)
        sorted_BCHW = images_BCHW[order_B].contiguous()
        down_H, across_W = (
            torch.linspace(-1, 1, side, dtype=torch.float64).to(images_BCHW)
            if side > 1
            else images_BCHW.new_zeros(1)
            for side in (height, width)
        )
        grid_HW2 = torch.stack(torch.meshgrid(across_W, down_H, indexing="xy"), 2)
        sums_BCHW = sorted_BCHW.clone()
        for step in range(1, int(steps_B[0]) + 1):
            count = int((steps_B >= step).sum())  # those with the most steps come first
            zooms_N = 1 + levels_B[:count] * step / steps_B[:count]
            sums_BCHW[:count] += functional.grid_sample(
                sorted_BCHW[:count],
                grid_HW2 / zooms_N.to(images_BCHW)[:, None, None, None],
                padding_mode="border",  # for coordinates that rounding pushes over it
                align_corners=True,
            )
        sums_BCHW /= (steps_B + 1).to(images_BCHW)[:, None, None, None]
        means_BCHW = torch.empty_like(sums_BCHW)
        means_BCHW[order_B] = sums_BCHW
        return as_averages(means_BCHW, images_BCHW)
