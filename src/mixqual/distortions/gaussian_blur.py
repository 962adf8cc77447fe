"""Gaussian blur (paper, Section 2): a banded matrix product along each axis.

Blurring a row with a reflecting border is linear in the row, so it is a product with a band of
width 2R + 1 whose corners hold the reflected part. Building that matrix for each image of a batch
is cheap, and a batched product then blurs every image with a deviation of its own.
Reference: `scipy.ndimage.gaussian_filter(mode="reflect", truncate=4)`.
"""

from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register

# Rows of the band multiplied at once: small enough to skip most zeros, large enough for one GEMM.
_BLOCK = 32


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
        batch, channels, height, width = images_BCHW.shape
        radius = int(_radii(levels_B).max())
        down_BHH = blur_matrices(levels_B, height).to(images_BCHW)
        across_BWW = down_BHH if width == height else blur_matrices(levels_B, width).to(images_BCHW)
        if channels > 1 and images_BCHW.is_contiguous(memory_format=torch.channels_last):
            # Channels lie innermost: rows of W*C, then, per image row, columns of C.
            rows_BHX = images_BCHW.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
            rows_BHX = _band_product(down_BHH, rows_BHX, radius)
            columns_BWX = rows_BHX.view(batch, height, width, channels).transpose(1, 2).flatten(2)
            columns_BWX = _band_product(across_BWW, columns_BWX, radius)
            blurred_BWHC = columns_BWX.view(batch, width, height, channels)
            return blurred_BWHC.permute(0, 3, 2, 1).contiguous(memory_format=torch.channels_last)
        columns_BWX = images_BCHW.permute(0, 3, 1, 2).reshape(batch, width, channels * height)
        columns_BWX = _band_product(across_BWW, columns_BWX, radius)
        rows_BHX = columns_BWX.view(batch, width, channels, height).permute(0, 3, 2, 1).flatten(2)
        rows_BHX = _band_product(down_BHH, rows_BHX, radius)
        return rows_BHX.view(batch, height, channels, width).transpose(1, 2).contiguous()


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


def _band_product(band_BSS: Tensor, columns_BSX: Tensor, radius: int) -> Tensor:
    """Multiply, skipping the blocks beyond the band."""
    side = band_BSS.shape[1]
    result_BSX = torch.empty_like(columns_BSX)
    for start in range(0, side, _BLOCK):
        stop = min(start + _BLOCK, side)
        low, high = max(0, start - radius), min(side, stop + radius)
        torch.bmm(
            band_BSS[:, start:stop, low:high],
            columns_BSX[:, low:high],
            out=result_BSX[:, start:stop],
        )
    return result_BSX
