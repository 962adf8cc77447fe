"""kornia, which takes a batch and a parameter for each of its images; its images are in 0...1."""

import kornia
import torch
from torch import Tensor

from mixqual.bench.peers.registry import batch, width_of


@batch("gaussian_blur", "kornia")
def gaussian_blur(images: Tensor, levels: Tensor) -> object:
    sigmas = levels.float()[:, None].expand(-1, 2)
    return kornia.filters.gaussian_blur2d(images, width_of(4 * float(levels.max())), sigmas)


@batch("motion_blur", "kornia")
def motion_blur(images: Tensor, levels: Tensor) -> object:
    angles = 180 * torch.rand(len(images))
    return kornia.filters.motion_blur(
        images, width_of(float(levels.max()) / 2), angles, torch.zeros(len(images))
    )


@batch("impulse_noise", "kornia")
def impulse_noise(images: Tensor, levels: Tensor) -> object:
    strongest = float(levels.max())
    return kornia.augmentation.RandomSaltAndPepperNoise((0.0, strongest), p=1.0)(images / 255)


@batch("brightness", "kornia")
def brightness(images: Tensor, levels: Tensor) -> object:
    return kornia.enhance.adjust_brightness(images / 255, levels.float() / 255)


@batch("contrast", "kornia")
def contrast(images: Tensor, levels: Tensor) -> object:
    return kornia.enhance.adjust_contrast_with_mean_subtraction(images / 255, levels.float())


@batch("desaturation", "kornia")
def desaturation(images: Tensor, levels: Tensor) -> object:
    return kornia.enhance.adjust_saturation_with_gray_subtraction(images / 255, levels.float())


@batch("oversaturation", "kornia")
def oversaturation(images: Tensor, levels: Tensor) -> object:
    return kornia.enhance.adjust_saturation_with_gray_subtraction(images / 255, levels.float())
