"""Colours too strong, as phones and slides have them: one product of matrices (see `colour`)."""

from typing import final

from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.colour import scale_colour


@final
@register
class Oversaturation(Distortion):
    """Moves colours away from grey of the same luma (ITU-R BT.601), by the factor `level`.

    A pixel x becomes grey + level * (x - grey), limited to 0...255. Grey images, and those of one
    channel, have no colour to strengthen, and stay.
    """

    name = "oversaturation"
    unit = "of the original"
    clean_level = 1.0
    worst_level = 50.0
    quantity = "saturation"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        return scale_colour(images_BCHW, levels_B).clamp_(0, 255)
