import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sample_pixels import FORMATS, levels, pixels
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.distortions.gaussian_blur import blur_matrices

blur = distortion("gaussian_blur")

# With the radii of these deviations, 240 at most, the reflection goes round the image many times.
DEVIATIONS = (0.0, 1e-6, 0.12, 0.125, 0.3, 1.0, 2.7, 10.0, 60.0)
SIZES = ((1, 1), (1, 9), (7, 1), (2, 3), (5, 40), (31, 33), (32, 32), (65, 97), (128, 40))


def reference(images_BCHW: Tensor, levels_B: Tensor) -> NDArray[np.float64]:
    planes = images_BCHW.double().numpy()
    return np.stack(
        [
            [gaussian_filter(plane, float(level), mode="reflect", truncate=4) for plane in image]
            for image, level in zip(planes, levels_B, strict=True)
        ]
    )


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-10)], ids=str
)
def test_blur_is_that_of_scipy(
    size: tuple[int, int],
    channels: int,
    memory_format: torch.memory_format,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    levels_B = levels(*DEVIATIONS)
    images_BCHW = pixels((len(levels_B), channels, *size), dtype, memory_format)
    expected_BCHW = reference(images_BCHW, levels_B)
    blurred_BCHW = blur(images_BCHW, levels_B).numpy()
    np.testing.assert_allclose(blurred_BCHW, expected_BCHW, rtol=0, atol=tolerance)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_uint8_is_scipys_result_rounded(memory_format: torch.memory_format) -> None:
    images_BCHW = pixels((4, 3, 33, 20), torch.uint8, memory_format)
    levels_B = levels(0.4, 1.3, 4, 25)
    expected_BCHW = reference(images_BCHW, levels_B)
    away_from_half = np.abs(expected_BCHW % 1 - 0.5) > 1e-3
    assert away_from_half.mean() > 0.99
    blurred_BCHW = blur(images_BCHW, levels_B).numpy()
    np.testing.assert_array_equal(
        blurred_BCHW[away_from_half], expected_BCHW.round()[away_from_half]
    )


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_a_view_that_is_neither_contiguous_nor_channels_last_is_blurred_alike(
    memory_format: torch.memory_format,
) -> None:
    whole_BCHW = pixels((4, 3, 40, 44), memory_format=memory_format)
    view_BCHW = whole_BCHW[::2, :, 3:-2, 1:30:2]
    levels_B = levels(1.5, 7)
    expected_BCHW = reference(view_BCHW, levels_B)
    np.testing.assert_allclose(blur(view_BCHW, levels_B).numpy(), expected_BCHW, rtol=0, atol=1e-3)


def test_gray_images_that_share_one_channel_are_blurred_alike() -> None:
    shared_BCHW = pixels((2, 1, 20, 24)).expand(-1, 3, -1, -1)
    levels_B = levels(1.5, 7)
    expected_BCHW = reference(shared_BCHW, levels_B)
    blurred_BCHW = blur(shared_BCHW, levels_B).numpy()
    np.testing.assert_allclose(blurred_BCHW, expected_BCHW, rtol=0, atol=1e-3)


@pytest.mark.parametrize("level", [0.5, 3, 10, 200])
def test_a_constant_image_stays(level: float) -> None:
    images_BCHW = torch.full((1, 3, 37, 50), 173.0)
    torch.testing.assert_close(blur(images_BCHW, levels(level)), images_BCHW, rtol=0, atol=1e-3)
    assert torch.equal(blur(images_BCHW.byte(), levels(level)), images_BCHW.byte())


@settings(deadline=None, max_examples=30)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    level=st.floats(1e-3, 100),
    memory_format=st.sampled_from(FORMATS),
)
def test_blur_keeps_the_mean_and_stays_within_the_range_of_the_image(
    height: int, width: int, level: float, memory_format: torch.memory_format
) -> None:
    images_BCHW = pixels((1, 3, height, width), torch.float64, memory_format)
    blurred_BCHW = blur(images_BCHW, levels(level))
    torch.testing.assert_close(blurred_BCHW.mean((2, 3)), images_BCHW.mean((2, 3)))
    assert blurred_BCHW.min() >= images_BCHW.min() - 1e-9
    assert blurred_BCHW.max() <= images_BCHW.max() + 1e-9
    # The same image turned by a quarter, blurred, is the blurred image turned by a quarter.
    turned_BCHW = blur(images_BCHW.rot90(1, (2, 3)), levels(level))
    torch.testing.assert_close(turned_BCHW, blurred_BCHW.rot90(1, (2, 3)))


@settings(deadline=None, max_examples=100)
@given(side=st.integers(1, 90), drawn=st.lists(st.floats(1e-9, 200), min_size=1, max_size=4))
def test_blur_matrices_are_doubly_stochastic_and_those_of_scipy(
    side: int, drawn: list[float]
) -> None:
    matrices_BSS = blur_matrices(levels(*drawn), side)
    assert matrices_BSS.shape == (len(drawn), side, side)
    assert matrices_BSS.min() >= 0
    ones_BS = torch.ones(len(drawn), side, dtype=torch.float64)
    torch.testing.assert_close(matrices_BSS.sum(2), ones_BS, rtol=0, atol=1e-12)
    torch.testing.assert_close(matrices_BSS, matrices_BSS.transpose(1, 2), rtol=0, atol=1e-12)
    for matrix_SS, level in zip(matrices_BSS, drawn, strict=True):
        expected_SS = gaussian_filter1d(np.eye(side), level, axis=0, mode="reflect", truncate=4)
        np.testing.assert_allclose(matrix_SS.numpy(), expected_SS, rtol=0, atol=1e-12)


def test_blur_has_no_randomness() -> None:
    images_BCHW = pixels((2, 3, 16, 16))
    first_BCHW = blur(images_BCHW, levels(1, 2), seed=1)
    assert torch.equal(blur(images_BCHW, levels(1, 2), seed=2), first_BCHW)
    assert not blur.random


def test_the_level_of_blur_is_a_length_that_scales_with_the_image() -> None:
    assert blur.scales_with_size
    assert not distortion("gaussian_noise").scales_with_size
