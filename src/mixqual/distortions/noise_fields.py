"""Fields of random numbers for a batch: one for each image, from the seed and its key alone.

They are drawn on the CPU wherever the images are, so that every device sees the same pixels. The
cost is that of the draws, which PyTorch makes several at a time.
"""

import torch
from torch import Tensor

from mixqual.distortions.keyed import generators


def normal_fields(images_BCHW: Tensor, keys_B: Tensor, *, seed: int, gray: bool = False) -> Tensor:
    """Return standard normal numbers, float32 on the CPU, in the shape of the images.

    With `gray` there is one channel, for all of the image's.
    """
    fields_BCHW = _empty(images_BCHW, gray)
    for field_CHW, generator in zip(fields_BCHW, generators(seed, keys_B), strict=True):
        field_CHW.normal_(generator=generator)
    return fields_BCHW


def uniform_fields(images_BCHW: Tensor, keys_B: Tensor, *, seed: int, gray: bool = False) -> Tensor:
    """Return uniform numbers of [0, 1), multiples of 2^-24, as `normal_fields` has them."""
    fields_BCHW = _empty(images_BCHW, gray)
    for field_CHW, generator in zip(fields_BCHW, generators(seed, keys_B), strict=True):
        field_CHW.uniform_(generator=generator)
    return fields_BCHW


def _empty(images_BCHW: Tensor, gray: bool) -> Tensor:
    batch, channels, height, width = images_BCHW.shape
    return torch.empty((batch, 1 if gray else channels, height, width))
