"""Additive Gaussian noise (paper, Section 2), drawn for each image from its own key."""

from typing import ClassVar, final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.errors import DistortionError


@final
@register
class GaussianNoise(Distortion):
    """Adds independent normal noise to every pixel and channel; the level is its deviation.

    Options: `clip` limits the result to 0...255 and rounds it, as an 8-bit sensor would; `gray`
    adds one noise field to all channels, as a monochrome sensor would. Neither by default. uint8
    images are rounded and limited by their type in any case.
    """

    name: ClassVar[str] = "gaussian_noise"
    unit: ClassVar[str] = "grey levels"
    max_level: ClassVar[float] = 1000.0
    random: ClassVar[bool] = True

    def __init__(self, clip: bool = False, gray: bool = False) -> None:
        if not isinstance(clip, bool) or not isinstance(gray, bool):
            raise DistortionError(
                f"{self.name}: clip and gray are true or false, not {clip!r} and {gray!r}"
            )
        self.clip = clip
        self.gray = gray

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        channels = 1 if self.gray else images_BCHW.shape[1]
        # Drawn on the CPU wherever the images are, so that every device sees the same pixels.
        noise_BCHW = torch.empty((len(images_BCHW), channels, *images_BCHW.shape[2:]))
        generator = torch.Generator()
        for noise_CHW, key in zip(noise_BCHW, keys_B.tolist(), strict=True):
            generator.manual_seed(_mix(seed, key))
            noise_CHW.normal_(generator=generator)
        noise_BCHW *= levels_B.to(torch.float32)[:, None, None, None]
        noisy_BCHW = images_BCHW + noise_BCHW.to(images_BCHW.device, non_blocking=True)
        return noisy_BCHW.clamp_(0, 255).round_() if self.clip else noisy_BCHW


def _mix(seed: int, key: int) -> int:
    """Combine seed and key into one well-spread 64-bit seed (the finaliser of splitmix64)."""
    mask = (1 << 64) - 1
    value = (key + (seed + 1) * 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)
