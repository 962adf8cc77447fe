"""Exposure: more or less light than was right, counted in stops, each of which doubles it.

Most of the time goes into the powers of the transfer curve (see `srgb`).
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.options import check_switch
from mixqual.distortions.srgb import to_linear, to_srgb


@final
@register
class Exposure(Distortion):
    """Multiplies the light by 2^level, limited to white: what is too bright burns out.

    Grey levels become linear light by the curve of sRGB, and back. Black stays black. The result is
    in 0...255, not rounded. Option: `under` divides by 2^level instead.
    """

    name = "exposure"
    unit = "stops"
    worst_level = 10.0
    quantity = "exposure"

    def __init__(self, under: bool = False) -> None:
        check_switch(self.name, "under", under)
        self.under = under

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        gains_B = torch.exp2(-levels_B if self.under else levels_B)
        light_BCHW = to_linear(images_BCHW).mul_(gains_B.to(images_BCHW)[:, None, None, None])
        return to_srgb(light_BCHW)
