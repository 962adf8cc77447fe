"""What a model file wants its images scaled to: files carry no preprocessing, so the user says."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from mixqual.errors import BackboneError

DEFAULT = "imagenet"
RAW = "raw"
_NAMED = {
    "unit": ((0.0,) * 3, (1.0,) * 3),
    DEFAULT: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_HOW = (
    f'write "{RAW}" (grey levels of 0 to 255), "unit" (0 to 1), "{DEFAULT}" (0 to 1, less '
    'ImageNet\'s mean, over its deviation), or numbers for images of 0 to 1 as "mean,std", such as '
    "0.5,0.5, or as three means and three deviations"
)


@final
@dataclass(frozen=True)
class InputScaling:
    """From grey levels to what a network takes: (grey level / 255 - mean) / std."""

    name: str
    """As the user gave it."""
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """Scale float images of 0 to 255; "raw" returns them as they are."""
        if self.name == RAW:
            return images_BCHW
        mean_C11, std_C11 = (
            255 * torch.tensor(values, device=images_BCHW.device)[:, None, None]
            for values in (self.mean, self.std)
        )
        return (images_BCHW - mean_C11) / std_C11

    def __str__(self) -> str:
        if self.name == RAW:
            return f"{RAW}: grey levels of 0 to 255"
        mean, std = (
            ", ".join(f"{value:g}" for value in dict.fromkeys(values))
            for values in (self.mean, self.std)
        )
        return f"{self.name}: (grey level / 255 - ({mean})) / ({std})"


def parse_scaling(text: str) -> InputScaling:
    """Make a scaling of "raw", "unit", "imagenet", "mean,std" or three numbers each.

    Numbers are for images of 0 to 1: mean in 0...1, std above 0 and up to 1. Raises
    `BackboneError` for anything else.
    """
    if text == RAW:
        return InputScaling(RAW, (0.0,) * 3, (1 / 255,) * 3)
    if text in _NAMED:
        return InputScaling(text, *_NAMED[text])
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BackboneError(f"preprocessing {text!r} is unknown; {_HOW}") from None
    if len(numbers) not in (2, 6):
        raise BackboneError(f"preprocessing {text!r} has {len(numbers)} numbers; {_HOW}")
    half = len(numbers) // 2
    mean, std = numbers[:half] * (3 // half), numbers[half:] * (3 // half)
    if not all(0 <= value <= 1 for value in mean) or not all(0 < value <= 1 for value in std):
        raise BackboneError(
            f"preprocessing {text!r}: means must lie in 0...1 and deviations in 0...1, above 0, as "
            "they are for images of 0 to 1; divide grey levels by 255"
        )
    return InputScaling(text, mean, std)
