"""Speckle noise: normal noise in proportion to the value, as of radar, ultrasound and lasers.

One normal draw and one multiply-add a value, so that the draw is nearly all of the cost.
"""

from typing import final

from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.noise_fields import normal_fields
from mixqual.distortions.options import check_switch


@final
@register
class SpeckleNoise(Distortion):
    """Multiplies each value x by 1 + level * n, n standard normal; black stays black.

    The level is the deviation relative to the value. An image's n are the same at any level.

    Options: `clip` limits the result to 0...255 and rounds it, as an 8-bit sensor would; `gray`
    takes one n for all channels of a pixel. Neither by default. uint8 images are rounded and
    limited by their type in any case.
    """

    name = "speckle_noise"
    unit = "of the value"
    worst_level = 10.0
    quantity = "σ"
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
        noise_BCHW = normal_fields(images_BCHW, keys_B, seed=seed, gray=self.gray)
        noise_BCHW *= levels_B.to(noise_BCHW)[:, None, None, None]
        noisy_BCHW = images_BCHW.addcmul(images_BCHW, noise_BCHW.to(images_BCHW.dtype))
        return noisy_BCHW.clamp_(0, 255).round_() if self.clip else noisy_BCHW
