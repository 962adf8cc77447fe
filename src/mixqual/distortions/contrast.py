"""Loss of contrast: every channel is drawn towards its mean.

Two passes over the pixels: one for the means, one for the interpolation, both along whole rows of
memory, whatever the order of the channels.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register


@final
@register
class Contrast(Distortion):
    """Makes x into mean + level * (x - mean); the level is the share of contrast that is left.

    The mean is that of the image's channel, so that brightness and tint stay. At level 0 only the
    means are left. An image of one colour has no contrast to lose, and stays.
    """

    name = "contrast"
    unit = "of the original"
    clean_level = 1.0
    worst_level = 0.0
    quantity = "contrast"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        levels_B111 = levels_B.to(images_BCHW)[:, None, None, None]
        means_BC11 = images_BCHW.mean(2, keepdim=True).mean(3, keepdim=True)
        means_BC1W = torch.empty_like(images_BCHW[:, :, :1]).copy_(means_BC11)
        return torch.lerp(means_BC1W, images_BCHW, levels_B111)
