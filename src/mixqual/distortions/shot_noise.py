"""Shot noise: light comes in photons, and their number in a pixel varies by the law of Poisson.

Reference: any text on image sensors; the number of photons has its mean as its variance. PyTorch
draws it exactly, by rejection, at a cost that does not grow with the number of photons.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.keyed import generators
from mixqual.distortions.options import check_switch

# Below this level white has over six million photons, and one grey level over 25 thousand: the
# normal law is then within 0.0005 of Poisson's (in distribution), and needs no huge counts.
_FAINT = 0.1


@final
@register
class ShotNoise(Distortion):
    """Counts photons; the level is the noise's deviation at white (255).

    White has N = (255 / level)^2 photons, a grey level x its share: the result is
    Poisson(N x / 255) 255 / N. So the mean stays, and the deviation is level * sqrt(x / 255): black
    stays black. Below level 0.1 a normal number of the same mean and deviation takes the place of
    the count. Values below 0 count as 0.

    Option: `clip` limits the result to 0...255 and rounds it, as an 8-bit sensor would. There is no
    option `gray`: photons of one channel say nothing about those of another, and one number cannot
    have three laws.
    """

    name = "shot_noise"
    unit = "grey levels"
    worst_level = 255.0
    quantity = "σ at white"
    random = True

    def __init__(self, clip: bool = False) -> None:
        check_switch(self.name, "clip", clip)
        self.clip = clip

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        # Rejection magnifies a last digit into another field, so that all takes place in double
        # precision, on the CPU and in one order of pixels, whatever the images come in.
        grey_BCHW = images_BCHW.to("cpu", torch.float64).contiguous().clamp(min=0)
        for grey_CHW, level, generator in zip(
            grey_BCHW, levels_B.tolist(), generators(seed, keys_B), strict=True
        ):
            _count_photons(grey_CHW, level, generator)
        noisy_BCHW = torch.empty_like(images_BCHW).copy_(grey_BCHW)
        return noisy_BCHW.clamp_(0, 255).round_() if self.clip else noisy_BCHW


def _count_photons(grey_CHW: Tensor, level: float, generator: torch.Generator) -> None:
    """Turn exact grey levels into counted ones, in place."""
    if level < _FAINT:
        noise_CHW = torch.empty_like(grey_CHW).normal_(generator=generator)
        grey_CHW.addcmul_(noise_CHW, grey_CHW.div(255).sqrt_(), value=level).clamp_(min=0)
    else:
        grey_per_photon = level**2 / 255
        photons_CHW = torch.poisson(grey_CHW.div_(grey_per_photon), generator=generator)
        torch.mul(photons_CHW, grey_per_photon, out=grey_CHW)
