"""The preprocessing that a network's weights were trained with."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Preprocessing:
    """Normalisation, as fractions of full scale, and the filter for resizing."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    """"bilinear" or "bicubic"."""

    def mean_tensor(self) -> Tensor:
        """The mean in grey levels, shape (1, 3, 1, 1)."""
        return 255 * torch.tensor(self.mean)[None, :, None, None]

    def std_tensor(self) -> Tensor:
        """The deviation in grey levels, shape (1, 3, 1, 1)."""
        return 255 * torch.tensor(self.std)[None, :, None, None]
