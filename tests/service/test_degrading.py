"""A degraded image against SciPy's filter, and against what noise is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from small_elpv import cell

from mixqual.service.degrading import degraded

SIZE = 56


@pytest.fixture
def pixels_HWC() -> np.ndarray:
    return np.repeat(np.asarray(cell(0, 0, SIZE))[:, :, None], 3, axis=2)


def test_without_damage_it_is_the_image(pixels_HWC: np.ndarray) -> None:
    np.testing.assert_array_equal(
        degraded(pixels_HWC, 0, 0, 0, gray=False), np.moveaxis(pixels_HWC, 2, 0)
    )


def test_blur_is_that_of_a_224_pixel_image_scaled(pixels_HWC: np.ndarray) -> None:
    """6 pixels of 224 are 1.5 of 56."""
    found_CHW = degraded(pixels_HWC, 0, 6, 0, gray=False)
    expected_HW = gaussian_filter(pixels_HWC[..., 0].astype(np.float64), 6 * SIZE / 224)
    assert found_CHW.shape == (3, SIZE, SIZE)
    inside = slice(8, -8)  # borders are the distortion's own
    np.testing.assert_allclose(found_CHW[0, inside, inside], expected_HW[inside, inside], atol=0.05)


def test_noise_has_its_deviation_and_comes_after_the_blur(pixels_HWC: np.ndarray) -> None:
    blurred_CHW, both_CHW = (
        degraded(pixels_HWC, 0, 6, 3, gray=False),
        degraded(pixels_HWC, 20, 6, 3, gray=False),
    )
    noise_CHW = both_CHW - blurred_CHW
    assert np.abs(np.corrcoef(noise_CHW.reshape(3, -1)) - np.eye(3)).max() < 4.5 / SIZE
    assert noise_CHW.std() == pytest.approx(20, rel=0.05)
    assert noise_CHW.mean() == pytest.approx(0, abs=1)
    np.testing.assert_array_equal(both_CHW, degraded(pixels_HWC, 20, 6, 3, gray=False))
    assert not np.array_equal(both_CHW, degraded(pixels_HWC, 20, 6, 4, gray=False))


def test_gray_noise_is_the_same_in_all_channels(pixels_HWC: np.ndarray) -> None:
    found_CHW = degraded(pixels_HWC, 20, 0, 3, gray=True)
    noise_CHW = found_CHW - np.moveaxis(pixels_HWC, 2, 0)
    assert noise_CHW.std() == pytest.approx(20, rel=0.05)
    np.testing.assert_array_equal(noise_CHW, np.repeat(noise_CHW[:1], 3, axis=0))
