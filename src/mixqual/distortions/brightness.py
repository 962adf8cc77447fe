"""Brightness: grey levels added to every pixel, in two passes over the channels."""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.options import check_switch
from mixqual.errors import DistortionError

_WAYS = ("channels", "value")


@final
@register
class Brightness(Distortion):
    """Adds `level` grey levels, limited to 0...255: bright places burn out.

    Options: `darken` subtracts them instead. `of` says what they are added to: "channels", the
    default, to every channel, which pales colours; "value", to the largest channel of a pixel (the
    V of HSV), and the others keep their proportion to it, as ImageNet-C has it. Black, which has no
    proportion, becomes grey.
    """

    name = "brightness"
    unit = "grey levels"
    worst_level = 255.0
    quantity = "offset"

    def __init__(self, darken: bool = False, of: str = "channels") -> None:
        check_switch(self.name, "darken", darken)
        if of not in _WAYS:
            raise DistortionError(f'{self.name}: of is "channels" or "value", not {of!r}')
        self.darken = darken
        self.of = of

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        offsets_B111 = levels_B.to(images_BCHW)[:, None, None, None]
        if self.darken:
            offsets_B111 = -offsets_B111
        if self.of == "channels":
            return (images_BCHW + offsets_B111).clamp_(0, 255)
        limited_BCHW = images_BCHW.clamp(0, 255)
        values_B1HW = limited_BCHW.amax(1, keepdim=True)
        moved_B1HW = (values_B1HW + offsets_B111).clamp_(0, 255)
        shares_BCHW = torch.where(values_B1HW > 0, limited_BCHW.div_(values_B1HW), 1.0)
        return shares_BCHW.mul_(moved_B1HW)
