"""The transfer curve of sRGB: between grey levels and the light that they stand for.

Definition: IEC 61966-2-1, with its straight piece near black. In place after one copy, so that the
cost is that of the power: as a logarithm and an exponential, which have vector instructions.
"""

import torch
from torch import Tensor


def to_linear(images_BCHW: Tensor) -> Tensor:
    """Return linear light in 0...1 (white is 1) of grey levels, which are limited to 0...255.

    Any floating-point type and shape; the memory format stays.
    """
    signal_BCHW = images_BCHW.clamp(0, 255).div_(255)
    curved_BCHW = signal_BCHW.add(0.055).div_(1.055).log2_().mul_(2.4).exp2_()
    return torch.where(signal_BCHW <= 0.04045, signal_BCHW.div_(12.92), curved_BCHW)


def to_srgb(linear_BCHW: Tensor) -> Tensor:
    """Return grey levels in 0...255, not rounded, of linear light, which is limited to 0...1.

    Any floating-point type and shape; the memory format stays.
    """
    light_BCHW = linear_BCHW.clamp(0, 1)
    curved_BCHW = light_BCHW.log2().div_(2.4).exp2_().mul_(1.055 * 255).sub_(0.055 * 255)
    dark_BCHW = light_BCHW <= 0.0031308
    return torch.where(dark_BCHW, light_BCHW.mul_(12.92 * 255), curved_BCHW).clamp_(max=255)
