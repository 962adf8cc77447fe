"""Spatter: drops of water or splashes of mud on the lens.

Drops are where a smooth random field lies above a threshold, which is known in closed form as every
pixel of the field is standard normal. The field costs two small matrix products, and one pass over
the image blends it in.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.colour import colour_of
from mixqual.distortions.smooth_field import smooth_fields
from mixqual.errors import DistortionError

# Deviation of a blob, as a share of the image's longer side: 3 pixels of 224.
_BLOB = 1 / 75
# Of each liquid: its colour, its opacity, and from its rim to there in deviations of the field.
_LIQUIDS = {
    "water": ((175.0, 238.0, 238.0), 0.6, 1.0),
    "mud": ((63.0, 42.0, 20.0), 1.0, 0.15),
}


@final
@register
class Spatter(Distortion):
    """Spatters the lens; the level is the share of the image that is covered.

    Every pixel is covered with that probability. What is covered at one level is covered at any
    higher one, as drops grow and join. Sizes are shares of the image's longer side. Pixels stay in
    0...255.

    Option `kind`: "water", pale turquoise, translucent and thicker in the middle of a drop, or
    "mud", brown and opaque with a narrow rim.
    """

    name = "spatter"
    unit = "of the image"
    worst_level = 1.0
    quantity = "cover"
    random = True

    def __init__(self, kind: str = "water") -> None:
        if not isinstance(kind, str) or kind not in _LIQUIDS:
            known = " or ".join(f'"{liquid}"' for liquid in _LIQUIDS)
            raise DistortionError(f"{self.name}: kind is {known}, not {kind!r}")
        self.kind = kind

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        colour, opacity, rim = _LIQUIDS[self.kind]
        height, width = images_BCHW.shape[2:]
        blob = max(0.5, _BLOB * max(height, width))
        depths_BHW = smooth_fields(seed, keys_B, height, width, blob, blob)
        depths_BHW += torch.special.ndtri(levels_B)[:, None, None].float()
        cover_BHW = depths_BHW.div_(rim).clamp_(0, 1).mul_(opacity)
        return images_BCHW.clone().lerp_(
            colour_of(colour, images_BCHW), cover_BHW[:, None].to(images_BCHW)
        )
