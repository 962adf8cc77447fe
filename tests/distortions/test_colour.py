import numpy as np
import pytest
import torch
from PIL import Image
from sample_pixels import FORMATS, levels, pixels

from mixqual.distortions.colour import colour_of, luma, scale_colour

# Numbers of pixels that 4, 2 and 1 divide.
SIZES = ((1, 1), (1, 2), (2, 3), (5, 7), (8, 6))
BT601 = np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-3), (torch.float64, 1e-10)])
def test_colour_is_scaled_and_luma_stays(
    dtype: torch.dtype, tolerance: float, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    images_BCHW = pixels((4, 3, *size), dtype, memory_format)
    before_BCHW = images_BCHW.clone()
    factors = (0.0, 0.3, 1.7, 20.0)
    scaled_BCHW = scale_colour(images_BCHW, levels(*factors))
    assert scaled_BCHW.dtype == dtype
    assert scaled_BCHW.is_contiguous(memory_format=memory_format)
    assert torch.equal(images_BCHW, before_BCHW)
    for image_CHW, scaled_CHW, factor in zip(images_BCHW, scaled_BCHW, factors, strict=True):
        exact_CHW, found_CHW = image_CHW.double().numpy(), scaled_CHW.double().numpy()
        luma_HW = np.tensordot(BT601, exact_CHW, 1)
        np.testing.assert_allclose(np.tensordot(BT601, found_CHW, 1), luma_HW, atol=tolerance)
        np.testing.assert_allclose(
            found_CHW - luma_HW, factor * (exact_CHW - luma_HW), rtol=0, atol=tolerance
        )


def test_a_view_that_is_neither_contiguous_nor_channels_last_fares_alike() -> None:
    view_BCHW = pixels((4, 3, 20, 24))[::2, :, 3:-2, 1:20:2]
    factors_B = levels(0.5, 4)
    expected_BCHW = scale_colour(view_BCHW.contiguous(), factors_B)
    assert torch.equal(scale_colour(view_BCHW, factors_B), expected_BCHW)


def test_one_channel_is_copied() -> None:
    images_BCHW = pixels((2, 1, 5, 4))
    same_BCHW = scale_colour(images_BCHW, levels(0, 9))
    assert torch.equal(same_BCHW, images_BCHW)
    assert same_BCHW.data_ptr() != images_BCHW.data_ptr()


def test_luma_is_pillow_s() -> None:
    image_1CHW = pixels((1, 3, 20, 30), torch.uint8)
    image_HWC = image_1CHW[0].permute(1, 2, 0).contiguous().numpy()
    expected = np.asarray(Image.fromarray(image_HWC).convert("L"), float)
    found = luma(image_1CHW.double())
    assert found.shape == (1, 1, 20, 30)
    assert np.abs(found[0, 0].numpy() - expected).max() <= 0.51  # Pillow rounds


def test_gray_is_its_own_luma() -> None:
    gray_BCHW = pixels((2, 1, 5, 4), torch.float32)
    assert luma(gray_BCHW) is gray_BCHW
    torch.testing.assert_close(luma(gray_BCHW.expand(-1, 3, -1, -1)), gray_BCHW)


@pytest.mark.parametrize(
    ("channels", "expected"), [(3, [255.0, 128.0, 0.0]), (1, [0.299 * 255 + 0.587 * 128])]
)
def test_a_colour_takes_the_channels_and_type_of_the_images(
    channels: int, expected: list[float]
) -> None:
    images_BCHW = pixels((2, channels, 4, 4), torch.float64)
    colour_1C11 = colour_of((255, 128, 0), images_BCHW)
    assert colour_1C11.dtype == torch.float64
    assert colour_1C11.shape == (1, channels, 1, 1)
    np.testing.assert_allclose(colour_1C11.flatten().numpy(), expected)
