"""Shot noise: light comes in photons, and their number in a pixel varies by the law of Poisson.

Reference: any text on image sensors; the number of photons has its mean as its variance. PyTorch
draws it exactly, by rejection, at a cost that does not grow with the number of photons.
"""

from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.keyed import generators
from mixqual.distortions.noise_fields import channel_by_channel
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

    Options: `clip` limits the result to 0...255 and rounds it, as an 8-bit sensor would; `gray`
    counts all channels by the same random numbers, so that equal channels stay equal, as a
    monochrome sensor has but one. Neither by default. (Channels that differ have each its own law,
    as one number cannot have three.)
    """

    name = "shot_noise"
    unit = "grey levels"
    worst_level = 255.0
    quantity = "σ at white"
    random = True

    def __init__(self, clip: bool = False, gray: bool = False) -> None:
        check_switch(self.name, "clip", clip)
        check_switch(self.name, "gray", gray)
        self.clip = clip
        self.gray: bool = gray

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        count = partial(_counted, levels=levels_B.tolist(), seed=seed, keys_B=keys_B)
        counted_BCHW = channel_by_channel(count, images_BCHW) if self.gray else count(images_BCHW)
        noisy_BCHW = torch.empty_like(images_BCHW).copy_(counted_BCHW)
        return noisy_BCHW.clamp_(0, 255).round_() if self.clip else noisy_BCHW


def _counted(images_BCHW: Tensor, levels: Sequence[float], seed: int, keys_B: Tensor) -> Tensor:
    # Rejection magnifies a last digit into another field, so that all takes place in double
    # precision, on the CPU and in one order of pixels, whatever the images come in.
    grey_BCHW = images_BCHW.to("cpu", torch.float64).contiguous().clamp(min=0)
    for grey_CHW, level, generator in zip(grey_BCHW, levels, generators(seed, keys_B), strict=True):
        _count_photons(grey_CHW, level, generator)
    return grey_BCHW


def _count_photons(grey_CHW: Tensor, level: float, generator: torch.Generator) -> None:
    """Turn exact grey levels into counted ones, in place."""
    if level < _FAINT:
        noise_CHW = torch.empty_like(grey_CHW).normal_(generator=generator)
        grey_CHW.addcmul_(noise_CHW, grey_CHW.div(255).sqrt_(), value=level).clamp_(min=0)
    else:
        grey_per_photon = level**2 / 255
        photons_CHW = torch.poisson(grey_CHW.div_(grey_per_photon), generator=generator)
        torch.mul(photons_CHW, grey_per_photon, out=grey_CHW)
