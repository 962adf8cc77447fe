"""Loss of colour, as fading and fog-bound light have it: one product of matrices (see `colour`)."""

from typing import final

from torch import Tensor

from mixqual.distortions.averages import as_averages
from mixqual.distortions.base import Distortion, register
from mixqual.distortions.colour import scale_colour


@final
@register
class Desaturation(Distortion):
    """Moves colours towards grey of the same luma; the level is the share of colour that is left.

    Luma is that of ITU-R BT.601. At level 0 the image is grey. Grey images, and those of one
    channel, have no colour to lose, and stay.
    """

    name = "desaturation"
    unit = "of the original"
    clean_level = 1.0
    worst_level = 0.0
    quantity = "saturation"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        return as_averages(scale_colour(images_BCHW, levels_B), images_BCHW)
