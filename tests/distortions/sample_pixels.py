"""Random images for the tests of `mixqual.distortions`."""

from collections.abc import Sequence

import torch
from torch import Tensor

FORMATS = (torch.contiguous_format, torch.channels_last)
DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)


def pixels(
    shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    seed: int = 0,
) -> Tensor:
    """Whole grey levels, which every type holds exactly."""
    generator = torch.Generator().manual_seed(seed)
    values_BCHW = torch.randint(0, 256, tuple(shape), generator=generator)
    return values_BCHW.to(dtype).contiguous(memory_format=memory_format)


def levels(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
