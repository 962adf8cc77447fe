"""Falling snow: white flakes, drawn out along the direction of their fall, over a paler scene.

Flakes are the heights of a random field that is longer than wide, and is sheared towards the wind
by shifting its rows: two small matrix products and a gather, where a motion blur would add up a
copy of the image for every pixel of its length.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.colour import luma
from mixqual.distortions.keyed import generators
from mixqual.distortions.smooth_field import smooth_fields
from mixqual.seeding import derive_seed

# Deviation of a flake's width, as a share of the image's longer side (1.4 pixels of 224), and how
# many times longer than wide its trace is.
_FLAKE = 1 / 160
_TRACE = 4.0
# From the rim of a flake to its white, in deviations of the field.
_RIM = 1.0
# How far the scene is whitened at level 1, as a share of the way.
_PALE = 0.45


@final
@register
class Snow(Distortion):
    """Lets snow fall before the scene; the level is the share of the image that flakes cover.

    Every pixel lies behind a flake with that probability. Flakes are white, and less so towards
    their rims; their traces lean by up to 45 degrees to either side, the same way over an image.
    The scene behind grows paler with the level. What is covered at one level is covered at any
    higher one. Sizes are shares of the image's longer side, so that snow looks the same at any
    resolution. Pixels stay in 0...255.
    """

    name = "snow"
    unit = "of the image"
    worst_level = 1.0
    quantity = "cover"
    random = True

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        rims_B11 = -torch.special.ndtri(levels_B)[:, None, None].float()
        heights_BHW = _falling(seed, keys_B, *images_BCHW.shape[2:]).sub_(rims_B11)
        flakes_B1HW = heights_BHW.div_(_RIM).clamp_(0, 1)[:, None].to(images_BCHW)
        pale_B1HW = luma(images_BCHW).mul(1.5).add_(127.5)
        pale_BCHW = torch.maximum(images_BCHW, pale_B1HW).clamp_(max=255)
        snowy_BCHW = images_BCHW.clone()
        snowy_BCHW.lerp_(pale_BCHW, (_PALE * levels_B)[:, None, None, None].to(images_BCHW))
        return snowy_BCHW.lerp_(images_BCHW.new_tensor(255.0), flakes_B1HW)


def _falling(seed: int, keys_B: Tensor, height: int, width: int) -> Tensor:
    """Standard normal fields (B, height, width) of traces that lean with the wind."""
    flake = max(0.5, _FLAKE * max(height, width))
    margin = height // 2  # for shifts of up to 45 degrees
    upright_BHX = smooth_fields(  # X: columns with a margin on both sides
        seed, keys_B, height, width + 2 * margin, _TRACE * flake, flake
    )
    winds = generators(derive_seed(seed, "wind"), keys_B)
    leans_B1 = torch.tensor([torch.rand((), generator=wind).item() for wind in winds])[:, None]
    rows_H = torch.arange(height) - (height - 1) / 2
    shifts_BH = ((2 * leans_B1 - 1) * rows_H).round().long() + margin
    columns_BHW = shifts_BH[:, :, None] + torch.arange(width)
    return upright_BHX.gather(2, columns_BHW)
