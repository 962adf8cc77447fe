"""torchvision's transforms (v2), one tensor at a time, as their parameters are numbers."""

import warnings

from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from mixqual.bench.peers.registry import tensor, width_of


@tensor("gaussian_blur", "torchvision")
def gaussian_blur(image: Tensor, level: float) -> Tensor:
    return tv.gaussian_blur(image, [width_of(4 * level)] * 2, [level] * 2)


@tensor("gaussian_noise", "torchvision")
def gaussian_noise(image: Tensor, level: float) -> Tensor:
    return tv.gaussian_noise(image, sigma=level, clip=False)


@tensor("brightness", "torchvision")
def brightness(image: Tensor, level: float) -> Tensor:
    return tv.adjust_brightness(image, 1 + level / 255)


@tensor("contrast", "torchvision")
def contrast(image: Tensor, level: float) -> Tensor:
    return tv.adjust_contrast(image, level)


@tensor("desaturation", "torchvision")
def desaturation(image: Tensor, level: float) -> Tensor:
    return tv.adjust_saturation(image, level)


@tensor("oversaturation", "torchvision")
def oversaturation(image: Tensor, level: float) -> Tensor:
    return tv.adjust_saturation(image, level)


@tensor("jpeg", "torchvision")
def jpeg(image: Tensor, level: float) -> Tensor:
    with warnings.catch_warnings(action="ignore"):  # its codec is deprecated
        return tv.jpeg(image.contiguous(), round(level))


@tensor("downsampling", "torchvision")
def downsampling(image: Tensor, level: float) -> Tensor:
    side = image.shape[1]
    return tv.resize(tv.resize(image, [round(side / level)] * 2, antialias=True), [side, side])
