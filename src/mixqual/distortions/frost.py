"""Frost: ice that grows over the pane before the lens, from the borders inwards.

The thickness of the ice is a fractal field, raised towards the borders, above a waterline that
falls with the level. One Fourier transform there and back and one selection (no sorting) make it.
"""

from typing import final

import numpy as np
import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.colour import colour_of
from mixqual.distortions.fractal_field import fractal_fields

_ICE = (214.0, 228.0, 240.0)
_EXPONENT = 2.5  # of the field's spectrum: jagged edges and feathers, on large patches
# How much sooner the border freezes than the centre, in deviations of the field.
_BORDER = 2.0
# Thickness at which ice is as opaque as it gets, in deviations of the field, and that opacity.
_THICK = 1.6
_OPACITY = 0.9


@final
@register
class Frost(Distortion):
    """Covers the image with ice; the level is the share of its pixels that are covered.

    Ice begins at the borders and in patches and grows inwards; it is pale blue, thin and clear at
    its edge and nearly opaque inside. Where there is ice at one level there is as much or more at
    any higher one, and to level 0 it melts without a jump. At level 1 all but the thinnest pixel
    is covered; an image of a single pixel stays clear. The same growth at any resolution, in kind.
    """

    name = "frost"
    unit = "of the image"
    worst_level = 1.0
    quantity = "cover"
    random = True

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        height, width = images_BCHW.shape[2:]
        ice_BHW = fractal_fields(seed, keys_B, height, width, _EXPONENT)
        ice_BHW += _BORDER * _nearness(height, width)
        for ice_HW, level in zip(ice_BHW, levels_B.tolist(), strict=True):
            ice_HW -= float(np.quantile(ice_HW.numpy(), 1 - level))
        ice_B1HW = ice_BHW.div_(_THICK).clamp_(0, 1).mul_(_OPACITY)[:, None].to(images_BCHW)
        return images_BCHW.clone().lerp_(colour_of(_ICE, images_BCHW), ice_B1HW)


def _nearness(height: int, width: int) -> Tensor:
    """How near pixels (H, W) are to the nearest border: 0 in the centre, towards 1 at a border."""
    down_H = (torch.arange(height) + 0.5).div_(height / 2).sub_(1).abs_()
    across_W = (torch.arange(width) + 0.5).div_(width / 2).sub_(1).abs_()
    return torch.maximum(down_H[:, None], across_W)
