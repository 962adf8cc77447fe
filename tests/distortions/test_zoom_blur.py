import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sample_pixels import FORMATS, levels, pixels
from scipy import ndimage
from torch import Tensor

from mixqual.distortions import distortion

blur = distortion("zoom_blur")


def reference(image_CHW: Tensor, level: float) -> NDArray[np.float64]:
    height, width = image_CHW.shape[1:]
    steps = max(1, math.ceil(level * (max(height, width) - 1) / 2))
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    zooms = np.linspace(1, 1 + level, steps + 1)
    return np.stack(
        [
            np.mean(
                [
                    ndimage.affine_transform(
                        plane, np.eye(2) / zoom, centre - centre / zoom, order=1, mode="nearest"
                    )
                    for zoom in zooms
                ],
                axis=0,
            )
            for plane in image_CHW.double().numpy()
        ]
    )


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 2), (33, 20), (24, 24)], ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 5e-3), (torch.float64, 1e-9)], ids=str
)
def test_blur_is_the_mean_of_scipys_zoomed_images(
    size: tuple[int, int],
    memory_format: torch.memory_format,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    drawn = (0.3, 1e-6, 2.0, 0.05)
    images_BCHW = pixels((4, 3, *size), dtype, memory_format)
    blurred_BCHW = blur(images_BCHW, levels(*drawn))
    assert blurred_BCHW.is_contiguous(memory_format=memory_format)
    for image_CHW, blurred_CHW, level in zip(images_BCHW, blurred_BCHW, drawn, strict=True):
        np.testing.assert_allclose(
            blurred_CHW.numpy(), reference(image_CHW, level), rtol=0, atol=tolerance
        )


def test_three_pixels_by_hand() -> None:
    # Zooms 1 and 2: the ends come from halfway to the middle, (0 + 100) / 2 and (100 + 40) / 2.
    images_BCHW = levels(0, 100, 40).view(1, 1, 1, 3)
    blurred_BCHW = blur(images_BCHW, levels(1))
    torch.testing.assert_close(blurred_BCHW.flatten(), levels(25, 100, 55), rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 15), width=st.integers(1, 15), level=st.floats(1e-4, 2))
def test_zooming_about_the_centre_keeps_it_and_knows_no_side(
    height: int, width: int, level: float
) -> None:
    images_BCHW = pixels((1, 1, height, width), torch.float64)
    blurred_BCHW = blur(images_BCHW, levels(level))
    if height % 2 == width % 2 == 1:
        centre = (0, 0, height // 2, width // 2)
        torch.testing.assert_close(blurred_BCHW[centre], images_BCHW[centre], rtol=0, atol=1e-9)
    for axes in ((2,), (3,)):
        flipped_BCHW = blur(images_BCHW.flip(axes), levels(level)).flip(axes)
        torch.testing.assert_close(flipped_BCHW, blurred_BCHW, rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 173.0, 255.0])
def test_a_constant_image_stays_bit_by_bit(value: float) -> None:
    images_BCHW = torch.full((2, 3, 31, 24), value)
    assert torch.equal(blur(images_BCHW, levels(0.2, 1.3)), images_BCHW)


def test_blur_grows_continuously_from_none() -> None:
    images_BCHW = pixels((1, 3, 21, 21), torch.float64)
    change_BCHW = blur(images_BCHW, levels(1e-5)) - images_BCHW
    # The zoomed half of the mean moves pixels by 10 * 1e-5 at most along each axis.
    assert 0 < change_BCHW.abs().max() < 0.5 * 2 * 10e-5 * 255


def test_the_level_of_zoom_is_a_share_of_the_image_and_needs_no_seed() -> None:
    assert not blur.scales_with_size
    assert not blur.random
