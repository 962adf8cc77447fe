"""Gaussian blur (paper, Section 2): the same filter along each axis.

Blurring a row with a reflecting border is linear in the row. Images of some size are filtered one
after the other, as each has a kernel of its own: the filter runs down the image as a depthwise
convolution whose channels are all numbers of a row, so that the vectors of a processor hold
neighbours in memory; the image is turned, and filtered again. For small images, and for kernels
wider than the image, a batched product with the matrices of the filter does all at once.
Reference: `scipy.ndimage.gaussian_filter(mode="reflect", truncate=4)`.
"""

from functools import lru_cache
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mixqual.distortions.base import Distortion, register

# Sides below are blurred by matrices: the calls of a convolution take longer there.
_SMALL = 64


@final
@register
class GaussianBlur(Distortion):
    """Convolves with a Gaussian cut at 4 deviations; the level is the deviation in pixels."""

    name = "gaussian_blur"
    unit = "pixels"
    worst_level = 1000.0
    quantity = "σ"
    scales_with_size = True

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        side = min(images_BCHW.shape[2:])
        convolved = (
            side >= _SMALL
            and images_BCHW.dtype == torch.float32
            and int(_radii(levels_B).max()) <= side
            # A GPU waits for the calls; without this library they go channel by channel.
            and images_BCHW.device.type == "cpu"
            and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        )
        return (_by_convolution if convolved else _by_matrices)(images_BCHW, levels_B)


def blur_matrices(levels_B: Tensor, side: int) -> Tensor:
    """Return the float64 matrices (B, side, side) that blur a column of `side` pixels.

    Reflecting at both borders repeats a column with period 2 * side, so the kernel is folded to
    that period first; any radius is then right, also beyond the image. Each row sums to one.
    """
    radii_B = _radii(levels_B)
    offsets_D = torch.arange(-int(radii_B.max()), int(radii_B.max()) + 1)
    kernels_BD = torch.exp(-0.5 * (offsets_D / levels_B[:, None].clamp_min(1e-30)) ** 2)
    kernels_BD = kernels_BD * (offsets_D.abs() <= radii_B[:, None])
    kernels_BD = kernels_BD / kernels_BD.sum(1, keepdim=True)
    period = 2 * side
    folded_BP = torch.zeros(len(levels_B), period, dtype=torch.float64)
    folded_BP.index_add_(1, offsets_D % period, kernels_BD)
    windows_BPS = torch.cat([folded_BP, folded_BP[:, :side]], 1).unfold(1, side, 1)
    # Row i, column j holds the weight of offset j - i, plus that of the reflected i + j + 1.
    direct_BSS = windows_BPS[:, side + 1 : period + 1].flip(1)
    return direct_BSS + windows_BPS[:, 1 : side + 1]


def _radii(levels_B: Tensor) -> Tensor:
    return (4.0 * levels_B + 0.5).long()


def _by_matrices(images_BCHW: Tensor, levels_B: Tensor) -> Tensor:
    height, width = images_BCHW.shape[2:]
    levels_L, which_B = torch.unique(levels_B, return_inverse=True)  # one, in a sweep
    which_B = which_B.to(images_BCHW.device)
    down_BHH = blur_matrices(levels_L, height).to(images_BCHW)[which_B]
    across_BWW = (
        down_BHH if width == height else blur_matrices(levels_L, width).to(images_BCHW)[which_B]
    )
    blurred_BCHW = down_BHH[:, None] @ images_BCHW @ across_BWW[:, None]  # which are symmetric
    return torch.empty_like(images_BCHW).copy_(blurred_BCHW)


def _by_convolution(images_BCHW: Tensor, levels_B: Tensor) -> Tensor:
    batch, channels, height, width = images_BCHW.shape
    rows_BHX = images_BCHW.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
    blurred_BHX = rows_BHX.clone()
    for rows_HX, blurred_HX, level in zip(rows_BHX, blurred_BHX, levels_B.tolist(), strict=True):
        kernel_D = _kernel(level)
        reach = len(kernel_D) // 2
        if reach == 0:  # too weak to reach the next pixel
            continue
        padded_YX = rows_HX.new_empty(height + 2 * reach, width * channels)
        padded_YX[reach:-reach] = rows_HX
        down_HX = _filtered(padded_YX, kernel_D)
        padded_YX = rows_HX.new_empty(width + 2 * reach, channels * height)
        padded_YX[reach:-reach].view(width * channels, height).copy_(down_HX.t())
        across_WX = _filtered(padded_YX, kernel_D)
        blurred_HX.copy_(across_WX.view(width * channels, height).t())
    blurred_BCHW = blurred_BHX.view(batch, height, width, channels).permute(0, 3, 1, 2)
    if images_BCHW.is_contiguous(memory_format=torch.channels_last):
        return blurred_BCHW
    return blurred_BCHW.contiguous()


def _kernel(level: float) -> Tensor:
    return torch.from_numpy(_kernel_weights(level))


@lru_cache(maxsize=1)  # a sweep blurs all images of a cell alike
def _kernel_weights(level: float) -> NDArray[np.float32]:
    radius = int(_radii(torch.tensor(level, dtype=torch.float64)))
    weights_D = np.exp(-0.5 * (np.arange(-radius, radius + 1) / level) ** 2)
    kernel_D: NDArray[np.float32] = (weights_D / weights_D.sum()).astype(np.float32)
    return kernel_D


def _filtered(padded_YX: Tensor, kernel_D: Tensor) -> Tensor:
    """Filter down the rows, having mirrored them at both ends of `padded_YX`, in place."""
    lines, numbers = padded_YX.shape
    reach = len(kernel_D) // 2
    padded_YX[:reach] = padded_YX[reach : 2 * reach].flip(0)
    padded_YX[-reach:] = padded_YX[-2 * reach : -reach].flip(0)
    # One image of one row whose pixels are our rows, channels innermost.
    image = lines * numbers
    row_1X1Y = padded_YX.as_strided((1, numbers, 1, lines), (image, 1, image, numbers))
    filtered_1X1H = functional.conv2d(row_1X1Y, kernel_D.expand(numbers, 1, 1, -1), groups=numbers)
    return filtered_1X1H.permute(0, 2, 3, 1).reshape(-1, numbers)
