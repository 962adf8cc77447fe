"""Impulse noise, or salt and pepper: values that were lost on the way, and came out as extremes.

One uniform number decides both whether a value is replaced and by what: the lowest numbers turn
white, the highest black. So a single draw and two comparisons are all the work.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.noise_fields import uniform_fields
from mixqual.distortions.options import check_number, check_switch


@final
@register
class ImpulseNoise(Distortion):
    """Replaces values (of pixel and channel) by white or black; the level is their share.

    Each value is replaced with that probability (to 2^-24), independently. What an image loses at
    one level it loses at any higher one too, by the same white or black.

    Options: `salt`, the share of the replaced values that turns white, the rest turning black;
    `gray` replaces whole pixels, all channels together.
    """

    name = "impulse_noise"
    unit = "of values"
    worst_level = 1.0
    quantity = "share"
    random = True

    def __init__(self, salt: float = 0.5, gray: bool = False) -> None:
        check_number(self.name, "salt", salt, 0, 1)
        check_switch(self.name, "gray", gray)
        self.salt = float(salt)
        self.gray: bool = gray

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        draws_BCHW = uniform_fields(images_BCHW, keys_B, seed=seed, gray=self.gray)
        draws_BCHW = torch.empty_like(images_BCHW, dtype=draws_BCHW.dtype).copy_(draws_BCHW)
        levels_B111 = levels_B[:, None, None, None]
        salt_B111 = self.salt * levels_B111
        # Written so that at level 1 both bounds are the same number.
        pepper_B111 = 1 - levels_B111 + salt_B111
        white_BCHW = draws_BCHW < salt_B111.to(draws_BCHW)
        black_BCHW = draws_BCHW >= pepper_B111.to(draws_BCHW)
        noisy_BCHW = images_BCHW.clone()
        noisy_BCHW.masked_fill_(white_BCHW, 255)
        return noisy_BCHW.masked_fill_(black_BCHW, 0)
