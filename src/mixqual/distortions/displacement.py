"""Images seen through a field of displacements.

One pass of PyTorch's vectorised sampler: each pixel reads four others, and the weights of these are
shared by the channels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mixqual.distortions.averages import as_averages


def displace(images_BCHW: Tensor, shifts_B2HW: Tensor) -> Tensor:
    """Return for each pixel the value that lies `shifts_B2HW` pixels (rows, columns) from it.

    Between pixels it is interpolated bilinearly; the border is mirrored as by scipy's
    `map_coordinates(mode="reflect")`, for shifts of any size. Shifts have the images' type and
    device. Type, shape, device and memory format of the images stay.
    """
    # The sampler wants the column first, and -1...1 from edge to edge, not from centre to centre.
    scaled = [
        (shifts_B2HW[:, axis] + _centres(images_BCHW, axis)) * (2 / images_BCHW.shape[2 + axis]) - 1
        for axis in (1, 0)
    ]
    moved_BCHW = functional.grid_sample(
        images_BCHW, torch.stack(scaled, 3), padding_mode="reflection", align_corners=False
    )
    return as_averages(moved_BCHW, images_BCHW)


def _centres(images_BCHW: Tensor, axis: int) -> Tensor:
    """Where the centres of pixels lie, from the first edge: (H, 1) or (W,)."""
    side = images_BCHW.shape[2 + axis]
    centres_S = torch.arange(side, dtype=images_BCHW.dtype, device=images_BCHW.device) + 0.5
    return centres_S[:, None] if axis == 0 else centres_S
