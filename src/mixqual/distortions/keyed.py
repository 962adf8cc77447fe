"""Random numbers of an image, from the seed and the image's key alone."""

from collections.abc import Iterator

import torch
from torch import Tensor


def generators(seed: int, keys_B: Tensor) -> Iterator[torch.Generator]:
    """For each image a CPU generator that has been seeded for it.

    It is the same one, seeded anew: use it up before taking the next.
    """
    generator = torch.Generator()
    for key in keys_B.tolist():
        generator.manual_seed(_mix(seed, key))
        yield generator


def _mix(seed: int, key: int) -> int:
    """Combine seed and key into one well-spread 64-bit seed (the finaliser of splitmix64)."""
    mask = (1 << 64) - 1
    value = (key + (seed + 1) * 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)
