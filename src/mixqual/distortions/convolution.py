"""Convolution of a batch, each image with a kernel of its own, the border mirrored.

Small kernels are summed directly: all planes of a batch are the channels of one depthwise
convolution. For larger ones, Fourier transforms of the image with a mirrored margin are multiplied,
whose time hardly depends on the kernel; a margin of half the image closes the circle, so that no
kernel needs a wider one. Images are taken together whose kernels reach alike far, within a factor
of two: large kernels do not slow small ones down, and the margin of an image does not depend on
what else is in its batch.
"""

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from mixqual.distortions.averages import as_averages

# Kernels that reach no farther from their centre are faster summed directly (measured: 15 x 15).
_SMALL = 7


def convolve(images_BCHW: Tensor, right_BRR: Tensor, left_BRR: Tensor) -> Tensor:
    """Return each image convolved with its kernel, beyond a border that repeats as in a mirror.

    That border is "reflect" in scipy.ndimage: d c b a | a b c d | d c b a, however far. Kernels
    have no negative weight, sum to one, and are the same when turned by half, so half of one is
    enough: `right_BRR[b, i, j]` is its weight i rows below and j columns to the right of the
    centre, `left_BRR[b, i, j]` that to the left (both agree where i or j is 0). They are on the
    CPU, and R may be anything. Type, shape, device and memory format of the images stay, and no
    value leaves the range of its image.
    """
    reaches_B = _reaches(right_BRR + left_BRR)
    # The largest reach of its class: 1 (and 0), 3 (and 2), 7 (from 4), 15 (from 8), and so on.
    bounds_B = 2 ** (reaches_B.clamp_min(1).log2().floor().long() + 1) - 1
    sums_BCHW = torch.empty(images_BCHW.shape, dtype=images_BCHW.dtype, device=images_BCHW.device)
    classes = bounds_B.unique().tolist()  # type: ignore[no-untyped-call]
    for bound in classes:
        chosen_B: Tensor | slice = bounds_B == bound if len(classes) > 1 else slice(None)
        part_BCHW = images_BCHW[chosen_B].contiguous()
        reach = int(reaches_B[chosen_B].max())
        kernels_BKK = _whole(right_BRR[chosen_B], left_BRR[chosen_B], reach)
        small = bound <= min(_SMALL, *part_BCHW.shape[2:])
        if small and part_BCHW.dtype == torch.float32:
            sums_BCHW[chosen_B] = _summed_directly(part_BCHW, kernels_BKK)
        else:
            sums_BCHW[chosen_B] = _through_fourier(part_BCHW, kernels_BKK, bound)
    return as_averages(sums_BCHW, images_BCHW)


def _reaches(quadrants_BRR: Tensor) -> Tensor:
    """The farthest row or column from the centre that has a weight."""
    there_BRR = quadrants_BRR != 0
    there_BR = there_BRR.any(1) | there_BRR.any(2)
    return (there_BR * torch.arange(there_BR.shape[1])).amax(1)


def _whole(right_BRR: Tensor, left_BRR: Tensor, reach: int) -> Tensor:
    """The whole kernels, K = 2 * reach + 1."""
    right_BRR, left_BRR = (x[:, : reach + 1, : reach + 1] for x in (right_BRR, left_BRR))
    lower_BRK = torch.cat([left_BRR[:, :, 1:].flip(2), right_BRR], 2)
    return torch.cat([lower_BRK[:, 1:].flip(1, 2), lower_BRK], 1)


def _summed_directly(images_BCHW: Tensor, kernels_BKK: Tensor) -> Tensor:
    batch, channels = images_BCHW.shape[:2]
    margin = kernels_BKK.shape[1] // 2
    for axis in (2, 3):
        before_BCHW, after_BCHW = _margins(images_BCHW, margin, axis)
        images_BCHW = torch.cat([before_BCHW, images_BCHW, after_BCHW], axis)
    kernels_P1KK = kernels_BKK.to(images_BCHW).repeat_interleave(channels, 0)[:, None]
    planes_1PHW = images_BCHW.view(1, batch * channels, *images_BCHW.shape[2:])
    sums_1PHW = functional.conv2d(planes_1PHW, kernels_P1KK, groups=batch * channels)
    return sums_1PHW.reshape(batch, channels, *sums_1PHW.shape[2:])


def _through_fourier(images_BCHW: Tensor, kernels_BKK: Tensor, margin: int) -> Tensor:
    height, width = images_BCHW.shape[2:]
    circles_BCHW = _closed(_closed(images_BCHW, margin, 2), margin, 3)
    size = circles_BCHW.shape[2:]
    spectra_BCFG = torch.fft.rfft2(circles_BCHW)  # F and G are the frequencies of H and W
    kernels_BHW = _wound(_wound(kernels_BKK.to(images_BCHW.dtype), size[0], 1), size[1], 2)
    spectra_BCFG *= torch.fft.rfft2(kernels_BHW.to(images_BCHW.device))[:, None]
    return torch.fft.irfft2(spectra_BCFG, s=size)[..., :height, :width]  # type: ignore[no-any-return]


def _closed(images_BCHW: Tensor, margin: int, axis: int) -> Tensor:
    """Make an axis a circle: after the image its mirrored end, and at last its mirrored start."""
    side = images_BCHW.shape[axis]
    size = next_fast_len(side + 2 * margin, real=True)
    if size >= 2 * side:
        return torch.cat([images_BCHW, images_BCHW.flip(axis)], axis)
    before_BCHW, after_BCHW = _margins(images_BCHW, margin, axis)
    # What fills the circle up to a size that is fast to transform is never read.
    filling_BCHW = images_BCHW.narrow(axis, 0, size - side - 2 * margin)
    return torch.cat([images_BCHW, after_BCHW, filling_BCHW, before_BCHW], axis)


def _margins(images_BCHW: Tensor, margin: int, axis: int) -> tuple[Tensor, Tensor]:
    """The mirrored start and end of an axis."""
    side = images_BCHW.shape[axis]
    before_BCHW = images_BCHW.narrow(axis, 0, margin).flip(axis)
    return before_BCHW, images_BCHW.narrow(axis, side - margin, margin).flip(axis)


def _wound(kernels_BKX: Tensor, size: int, axis: int) -> Tensor:
    """Wind an axis of kernels about a circle, as often as it is long, with its centre at 0."""
    reach = kernels_BKX.shape[axis] // 2
    shape = list(kernels_BKX.shape)
    shape[axis] = size
    places_K = torch.arange(-reach, reach + 1) % size
    return kernels_BKX.new_zeros(shape).index_add_(axis, places_K, kernels_BKX)
