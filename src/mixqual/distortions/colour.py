"""How bright a pixel looks, and its colour as the distance from grey of the same luma.

Stretching that distance is linear in a pixel's channels, so it is one product with a 3 x 3 matrix
an image: every pixel is read once and written once. Where the channels lie innermost, a few pixels
share a row of the product, as products with rows of 3 are slow.
"""

from math import gcd

import torch
from torch import Tensor

_WEIGHTS = (0.299, 0.587, 0.114)  # red, green, blue: ITU-R BT.601, as JPEG and Pillow have them
_GROUP = 4  # pixels of a row; with more, too many factors are zero


def luma(images_BCHW: Tensor) -> Tensor:
    """Return the luma (B, 1, H, W) of RGB images; of images with one channel, themselves."""
    if images_BCHW.shape[1] == 1:
        return images_BCHW
    weights_C = images_BCHW.new_tensor(_WEIGHTS)
    return torch.einsum("bchw,c->bhw", images_BCHW, weights_C)[:, None]


def colour_of(rgb: tuple[float, float, float], images_BCHW: Tensor) -> Tensor:
    """Return a colour (1, C, 1, 1) in the channels, type and device of the images."""
    colour_1C11 = images_BCHW.new_tensor(rgb).view(1, 3, 1, 1)
    return luma(colour_1C11) if images_BCHW.shape[1] == 1 else colour_1C11


def scale_colour(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """Return grey + factor * (x - grey) of each image; grey is the pixel's luma (ITU-R BT.601).

    The result is new, not limited, and in the images' memory format. An image of one channel is
    grey, and stays.
    """
    batch, channels, height, width = images_BCHW.shape
    if channels == 1:
        return images_BCHW.clone()
    factors_B11 = factors_B[:, None, None]
    kept_CC = torch.eye(channels, dtype=factors_B.dtype)
    luma_C = luma(kept_CC[:, :, None, None]).flatten()  # of pure red, green and blue
    mixes_BCC = (factors_B11 * kept_CC + (1 - factors_B11) * luma_C).to(images_BCHW)
    if images_BCHW.is_contiguous(memory_format=torch.channels_last):
        # G: the channels of a group of pixels; X: the groups of an image.
        group = gcd(height * width, _GROUP)
        groups_BXG = images_BCHW.permute(0, 2, 3, 1).reshape(batch, -1, group * channels)
        mixes_BGG = torch.kron(torch.eye(group).to(images_BCHW), mixes_BCC.mT.contiguous())
        mixed_BXG = groups_BXG @ mixes_BGG
        return mixed_BXG.view(batch, height, width, channels).permute(0, 3, 1, 2)
    return (mixes_BCC @ images_BCHW.flatten(2)).view(batch, channels, height, width)
