"""Who has which distortion, and how it is applied to a batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[Any]
OfImage = Callable[[Pixels, float], Pixels]
OfTensor = Callable[[Tensor, float], Tensor]
OfBatch = Callable[[Tensor, Tensor], object]

PEERS: dict[str, list[tuple[str, OfBatch]]] = {}
"""By distortion: library, and the function that distorts a batch at the levels of its images."""


def batch(name: str, library: str) -> Callable[[OfBatch], OfBatch]:
    """Register a function of images (B, C, H, W) and levels (B,)."""

    def register(of_batch: OfBatch) -> OfBatch:
        PEERS.setdefault(name, []).append((library, of_batch))
        return of_batch

    return register


def tensor(name: str, library: str) -> Callable[[OfTensor], OfTensor]:
    """Register a function of one image (C, H, W) and its level; it is called for each."""

    def register(of_tensor: OfTensor) -> OfTensor:
        def of_batch(images_BCHW: Tensor, levels_B: Tensor) -> Tensor:
            pairs = zip(images_BCHW, levels_B.tolist(), strict=True)
            return torch.stack([of_tensor(*pair) for pair in pairs])

        batch(name, library)(of_batch)
        return of_tensor

    return register


def image(name: str, library: str) -> Callable[[OfImage], OfImage]:
    """Register a function of one image (H, W, C), an array, and its level."""

    def register(of_image: OfImage) -> OfImage:
        def of_batch(images_BCHW: Tensor, levels_B: Tensor) -> Pixels:
            pairs = zip(images_BCHW.permute(0, 2, 3, 1).numpy(), levels_B.tolist(), strict=True)
            return np.stack([of_image(*pair) for pair in pairs])

        batch(name, library)(of_batch)
        return of_image

    return register


def width_of(reach: float) -> int:
    """The odd width of a kernel that reaches so far from its centre."""
    return 2 * int(reach + 0.5) + 1
