import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sample_pixels import FORMATS, pixels
from scipy.signal import convolve2d
from torch import Tensor

from mixqual.distortions.convolution import convolve

# Sides below and above the reach of the kernels, which goes round the image several times.
SIZES = ((1, 1), (1, 9), (7, 1), (2, 3), (3, 3), (5, 20), (16, 16), (33, 20))
REACHES = (0, 1, 3, 4, 11)


def whole_kernels(reaches: tuple[int, ...], seed: int = 0) -> NDArray[np.float64]:
    """Random kernels that are the same when turned by half, one of each reach."""
    side = 2 * max(reaches) + 1
    generator = np.random.default_rng(seed)
    kernels = np.zeros((len(reaches), side, side))
    for kernel, reach in zip(kernels, reaches, strict=True):
        inner = slice(max(reaches) - reach, max(reaches) + reach + 1)
        weights = generator.random((2 * reach + 1, 2 * reach + 1))
        kernel[inner, inner] = weights + weights[::-1, ::-1]
        kernel /= kernel.sum()
    return kernels


def quadrants(kernels: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    centre = kernels.shape[1] // 2
    right = kernels[:, centre:, centre:]
    left = kernels[:, centre:, centre::-1]
    return torch.from_numpy(right.copy()), torch.from_numpy(left.copy())


def reference(images_BCHW: Tensor, kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not scipy.ndimage.convolve, which reads beyond images that are much smaller than the kernel.
    margin = kernels.shape[1] // 2
    around = ((0, 0), (margin, margin), (margin, margin))
    padded = [np.pad(image, around, "symmetric") for image in images_BCHW.double().numpy()]
    return np.array(
        [
            [convolve2d(plane, kernel, "valid") for plane in image]
            for image, kernel in zip(padded, kernels, strict=True)
        ]
    )


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-10)], ids=str
)
def test_convolution_is_that_of_scipy_on_a_mirrored_border(
    size: tuple[int, int],
    memory_format: torch.memory_format,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    kernels = whole_kernels(REACHES)
    images_BCHW = pixels((len(REACHES), 3, *size), dtype, memory_format)
    sums_BCHW = convolve(images_BCHW, *quadrants(kernels))
    assert sums_BCHW.dtype == dtype
    assert sums_BCHW.is_contiguous(memory_format=memory_format)
    np.testing.assert_allclose(
        sums_BCHW.numpy(), reference(images_BCHW, kernels), rtol=0, atol=tolerance
    )


@settings(deadline=None, max_examples=20)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    reaches=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_kernels_of_any_sizes_keep_to_their_own_images(
    height: int, width: int, reaches: list[int], channels: int, seed: int
) -> None:
    kernels = whole_kernels(tuple(reaches), seed)
    images_BCHW = pixels((len(reaches), channels, height, width))
    sums_BCHW = convolve(images_BCHW, *quadrants(kernels))
    np.testing.assert_allclose(
        sums_BCHW.numpy(), reference(images_BCHW, kernels), rtol=0, atol=1e-3
    )


def test_kernels_that_are_their_own_mirror_image_are_convolved_as_by_scipy() -> None:
    kernels = whole_kernels((2, 6, 14))
    kernels = (kernels + kernels[:, :, ::-1]) / 2
    images_BCHW = pixels((3, 1, 12, 17), torch.float64)
    right_BRR, left_BRR = quadrants(kernels)
    assert torch.equal(right_BRR, left_BRR)
    np.testing.assert_allclose(
        convolve(images_BCHW, right_BRR, left_BRR).numpy(),
        reference(images_BCHW, kernels),
        rtol=0,
        atol=1e-10,
    )


@pytest.mark.parametrize("reach", [2, 20])
@pytest.mark.parametrize("value", [0.0, 173.0, 255.0])
def test_a_constant_image_stays_bit_by_bit(value: float, reach: int) -> None:
    images_BCHW = torch.full((1, 3, 37, 50), value)
    assert torch.equal(convolve(images_BCHW, *quadrants(whole_kernels((reach,)))), images_BCHW)


def test_a_view_that_is_neither_contiguous_nor_channels_last_is_convolved_alike() -> None:
    kernels = whole_kernels((2, 7))
    view_BCHW = pixels((4, 3, 40, 44))[::2, :, 3:-2, 1:30:2]
    np.testing.assert_allclose(
        convolve(view_BCHW, *quadrants(kernels)).numpy(),
        reference(view_BCHW, kernels),
        rtol=0,
        atol=1e-3,
    )
