"""What an average of an image's pixels keeps of the image: its range and its memory format."""

import torch
from torch import Tensor


def as_averages(averages_BCHW: Tensor, images_BCHW: Tensor) -> Tensor:
    """Return averages of the images' pixels in the memory format of the images.

    Rounding errors that leave the range of an image's pixels, and so perhaps 0...255, are cut off.
    """
    low_B111 = images_BCHW.amin((1, 2, 3), keepdim=True)
    high_B111 = images_BCHW.amax((1, 2, 3), keepdim=True)
    # One bound at a time: PyTorch has vector instructions for two operands, not for three.
    limited_BCHW = torch.maximum(averages_BCHW, low_B111, out=torch.empty_like(images_BCHW))
    return torch.minimum(limited_BCHW, high_B111, out=limited_BCHW)
