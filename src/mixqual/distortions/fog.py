"""Fog by Koschmieder's law: with the depth, the air's light takes the place of the scene's.

Reference: H. Koschmieder, Theorie der horizontalen Sichtweite (1924). The depth is a random field
that two Fourier transforms make (see `fractal_field`); three passes over the pixels apply it.
"""

from typing import final

from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.fractal_field import fractal_fields
from mixqual.distortions.options import check_number

# Deviation of the depth's logarithm: banks and gaps differ, but no place stays clear.
_PATCHINESS = 0.5


@final
@register
class Fog(Distortion):
    """Hides the scene behind bright air; the level is the optical depth, on average over the image.

    A pixel x becomes x t + airlight (1 - t), where t = exp(-level * depth) is the share of light
    that comes through. The depth is a smooth random field above 0 with mean 1 over the image, the
    same at all levels. At level 1 about a third of the scene's light is left.

    Options: `airlight`, the grey level of fog that hides all, 0...255; `smoothness`, the exponent k
    of the field's spectrum 1 / f^k, 0...6: 0 is grain, and the larger, the softer. Turbulent air
    has 8/3 in a thin layer and 11/3 in a thick one; the default, 3, lies between.
    """

    name = "fog"
    unit = "mean over the image"
    worst_level = 10.0
    quantity = "optical depth"
    random = True

    def __init__(self, smoothness: float = 3.0, airlight: float = 230.0) -> None:
        check_number(self.name, "smoothness", smoothness, 0, 6)
        check_number(self.name, "airlight", airlight, 0, 255)
        self.smoothness = float(smoothness)
        self.airlight = float(airlight)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        height, width = images_BCHW.shape[2:]
        fields_BHW = fractal_fields(seed, keys_B, height, width, self.smoothness)
        depths_BHW = fields_BHW.mul_(_PATCHINESS).exp_()
        depths_BHW *= (levels_B.float() / depths_BHW.mean((1, 2)))[:, None, None]
        through_B1HW = depths_BHW.neg_().exp_().to(images_BCHW)[:, None]
        return (images_BCHW - self.airlight).mul_(through_B1HW).add_(self.airlight)
