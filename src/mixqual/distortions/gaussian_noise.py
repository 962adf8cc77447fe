"""Additive Gaussian noise (paper, Section 2), drawn for each image from its own key."""

from typing import final

from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.noise_fields import normal_fields
from mixqual.errors import DistortionError


@final
@register
class GaussianNoise(Distortion):
    """Adds independent normal noise to every pixel and channel; the level is its deviation.

    Options: `clip` limits the result to 0...255 and rounds it, as an 8-bit sensor would; `gray`
    adds one noise field to all channels, as a monochrome sensor would. Neither by default. uint8
    images are rounded and limited by their type in any case.
    """

    name = "gaussian_noise"
    unit = "grey levels"
    worst_level = 1000.0
    quantity = "σ"
    random = True

    def __init__(self, clip: bool = False, gray: bool = False) -> None:
        if not isinstance(clip, bool) or not isinstance(gray, bool):
            raise DistortionError(
                f"{self.name}: clip and gray are true or false, not {clip!r} and {gray!r}"
            )
        self.clip = clip
        self.gray: bool = gray

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        noise_BCHW = normal_fields(images_BCHW, keys_B, seed=seed, gray=self.gray)
        noise_BCHW *= levels_B.to(noise_BCHW)[:, None, None, None]
        noisy_BCHW = images_BCHW + noise_BCHW
        return noisy_BCHW.clamp_(0, 255).round_() if self.clip else noisy_BCHW
