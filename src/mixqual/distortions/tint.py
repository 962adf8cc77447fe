"""How bright a pixel looks: the weighted mean of its channels."""

import torch
from torch import Tensor

_WEIGHTS = (0.299, 0.587, 0.114)  # red, green, blue: ITU-R BT.601, as JPEG and Pillow have them


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
