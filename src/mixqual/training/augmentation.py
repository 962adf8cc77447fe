"""Augmentation: images mirrored, turned and cropped at random, before they are distorted.

Never after: what a camera does to an image comes last. All images of a batch are moved together,
by draws of the whole batch, so that they do not depend on how many processes share it.
"""

import math
from dataclasses import dataclass
from typing import Self, final

import torch
from torch import Tensor, nn

from mixqual.config import FitConfig

# A crop's width over its height lies between 3/4 and 4/3, as in torchvision's RandomResizedCrop;
# this is the logarithm of the largest square root.
_LONGEST = math.log(4 / 3) / 2


@final
@dataclass(frozen=True)
class Moves:
    """What is done to each image of a batch."""

    mirrored_B: Tensor
    overturned_B: Tensor
    """Upside down."""
    turns_B: Tensor
    """Quarter turns, counter-clockwise, 0 to 3."""
    boxes_B4: Tensor | None
    """Of each crop the centre (x, y) and the size (w, h), as parts of the image's; None leaves all
    images whole."""

    def part(self, chosen: slice) -> "Moves":
        """The moves of some of the images, as for one of several processes."""
        boxes_B4 = None if self.boxes_B4 is None else self.boxes_B4[chosen]
        return Moves(
            self.mirrored_B[chosen], self.overturned_B[chosen], self.turns_B[chosen], boxes_B4
        )

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """Move square float images, in place where they are not cropped."""
        device = images_BCHW.device
        for turns in (1, 2, 3):
            chosen_B = (self.turns_B == turns).to(device)
            images_BCHW[chosen_B] = images_BCHW[chosen_B].rot90(turns, (2, 3))
        for chosen_B, axis in ((self.mirrored_B, 3), (self.overturned_B, 2)):
            chosen_B = chosen_B.to(device)
            images_BCHW[chosen_B] = images_BCHW[chosen_B].flip(axis)
        return images_BCHW if self.boxes_B4 is None else _cropped(images_BCHW, self.boxes_B4)


@final
@dataclass(frozen=True)
class Augmentation:
    """Which moves there are; by default none."""

    horizontal_flip: bool = False
    vertical_flip: bool = False
    quarter_turns: bool = False
    crop_scale: float = 1.0
    """The least share of an image's area that a crop keeps."""

    @classmethod
    def of(cls, config: FitConfig) -> Self:
        """That of a recipe."""
        return cls(
            config.horizontal_flip, config.vertical_flip, config.quarter_turns, config.crop_scale
        )

    def draw(self, batch: int, seed: int) -> Moves | None:
        """What is done to so many images; the same seed gives the same. None if that is nothing."""
        if self == NOTHING:
            return None
        generator = torch.Generator().manual_seed(seed)
        mirrored_B, overturned_B = torch.rand(2, batch, generator=generator) < 0.5
        turns_B = torch.randint(4, (batch,), generator=generator)
        boxes_B4 = _draw_boxes(batch, self.crop_scale, generator) if self.crop_scale < 1 else None
        return Moves(
            mirrored_B & self.horizontal_flip,
            overturned_B & self.vertical_flip,
            turns_B * self.quarter_turns,
            boxes_B4,
        )


NOTHING = Augmentation()
"""No move at all, as in the paper."""


def _draw_boxes(batch: int, least: float, generator: torch.Generator) -> Tensor:
    """Crops of a random share of the area and a random ratio, at a random place."""
    area_B, ratio_B, *place_2B = torch.rand(4, batch, generator=generator, dtype=torch.float64)
    area_B = least + (1 - least) * area_B
    # The square root of width over height; no side may be longer than the image's.
    longest_B = (-area_B.log() / 2).clamp(max=_LONGEST)
    root_B = torch.exp((2 * ratio_B - 1) * longest_B)
    sizes_B2 = torch.stack([area_B.sqrt() * root_B, area_B.sqrt() / root_B], 1)
    centres_B2 = sizes_B2 / 2 + torch.stack(place_2B, 1) * (1 - sizes_B2)
    return torch.cat([centres_B2, sizes_B2], 1)


def _cropped(images_BCHW: Tensor, boxes_B4: Tensor) -> Tensor:
    """Crops, enlarged bilinearly to the size of the images, all of a batch at once."""
    boxes_B4 = boxes_B4.to(images_BCHW)
    theta_B23 = torch.zeros(len(boxes_B4), 2, 3, device=images_BCHW.device)
    theta_B23[:, 0, 0], theta_B23[:, 1, 1] = boxes_B4[:, 2], boxes_B4[:, 3]
    theta_B23[:, :, 2] = 2 * boxes_B4[:, :2] - 1
    grid_BHW2 = nn.functional.affine_grid(theta_B23, list(images_BCHW.shape), align_corners=False)
    cropped_BCHW = nn.functional.grid_sample(
        images_BCHW, grid_BHW2, padding_mode="border", align_corners=False
    )
    return cropped_BCHW.contiguous(memory_format=torch.channels_last)
