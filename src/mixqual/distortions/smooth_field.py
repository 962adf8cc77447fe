"""Random fields of one size of blob, as drops, mud and snowflakes have.

A field is white noise on a coarse grid, with a Gaussian bump laid on every node. Bumps along rows
and columns are two small matrix products whose cost is that of the coarse grid, not of a filter
over all pixels. One image at a time, its digits cannot depend on the batch.
"""

import torch
from torch import Tensor

from mixqual.distortions.keyed import generators

# Bumps beyond this many of their deviations are nothing in single precision.
_REACH = 6


def smooth_fields(
    seed: int, keys_B: Tensor, height: int, width: int, down: float, across: float
) -> Tensor:
    """Return random fields (B, height, width), float32 on the CPU.

    Every pixel is standard normal; two that lie dy rows and dx columns apart have the correlation
    exp(-(dy/down)^2/4 - (dx/across)^2/4), to 1e-3. `down` and `across` are the deviations of the
    bumps in pixels, above 0. A field depends on its key, the seed and these numbers alone.
    """
    down_HY, across_WX = _bumps(height, down), _bumps(width, across)  # Y, X: nodes of the grid
    fields_BHW = torch.empty((len(keys_B), height, width))
    nodes_YX = torch.empty((down_HY.shape[1], across_WX.shape[1]))
    for field_HW, generator in zip(fields_BHW, generators(seed, keys_B), strict=True):
        nodes_YX.normal_(generator=generator)
        torch.linalg.multi_dot((down_HY, nodes_YX, across_WX.T), out=field_HW)
    return fields_BHW


def _bumps(side: int, deviation: float) -> Tensor:
    """The weights (side, nodes) of nodes one deviation apart; the squares of a row sum to one."""
    places_S = torch.arange(side, dtype=torch.float64) / deviation
    nodes_N = torch.arange(-_REACH, int(places_S[-1]) + _REACH + 1)
    weights_SN = torch.exp(-0.5 * (places_S[:, None] - nodes_N).square())
    return torch.nn.functional.normalize(weights_SN, dim=1).float()
