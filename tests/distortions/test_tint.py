import numpy as np
import pytest
import torch
from PIL import Image
from sample_pixels import pixels

from mixqual.distortions.tint import colour_of, luma


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
