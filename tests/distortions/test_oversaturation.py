import numpy as np
import torch
from PIL import Image, ImageEnhance
from sample_pixels import levels, pixels

from mixqual.distortions import distortion

oversaturate = distortion("oversaturation")


def test_colours_are_those_of_pillow() -> None:
    images_BCHW = pixels((3, 3, 15, 11), torch.uint8)
    levels_B = levels(1.2, 2.5, 8.0)
    gaudy_BCHW = oversaturate(images_BCHW.float(), levels_B)
    for image_CHW, gaudy_CHW, level in zip(images_BCHW, gaudy_BCHW, levels_B, strict=True):
        image = Image.fromarray(image_CHW.permute(1, 2, 0).contiguous().numpy())
        expected_HWC = np.asarray(ImageEnhance.Color(image).enhance(float(level)))
        # Pillow rounds the grey (up to 0.5, times its factor) and cuts off the fraction (up to 1).
        differences_HWC = gaudy_CHW.permute(1, 2, 0).numpy() - expected_HWC
        assert np.abs(differences_HWC).max() <= 1.01 + 0.51 * (float(level) - 1)


def test_colours_by_hand() -> None:
    # The luma of the first is 120: distances of -20, 0 and 52 become threefold, the last of them
    # too large. That of the second is 124, and all of its channels leave the range.
    image_BCHW = torch.tensor([[100.0, 120.0, 172.4561], [10.0, 200.0, 30.0]]).T.reshape(1, 3, 1, 2)
    gaudy_BCHW = oversaturate(image_BCHW, levels(3))
    first, second = gaudy_BCHW[0, :, 0].T.tolist()
    np.testing.assert_allclose(first, [60, 120, 255], rtol=0, atol=1e-3)
    assert second == [0, 255, 0]


def test_everything_with_a_colour_ends_at_the_limits() -> None:
    image_BCHW = pixels((1, 3, 20, 20))
    gaudy_BCHW = oversaturate(image_BCHW, levels(50))
    at_limit_BCHW = (gaudy_BCHW == 0) | (gaudy_BCHW == 255)
    assert at_limit_BCHW.float().mean() > 0.9
    assert gaudy_BCHW.min() >= 0
    assert gaudy_BCHW.max() <= 255


def test_grey_images_stay() -> None:
    gray_BCHW = pixels((2, 1, 16, 16))
    assert torch.equal(oversaturate(gray_BCHW, levels(2, 50)), gray_BCHW)
    repeated_BCHW = gray_BCHW.expand(-1, 3, -1, -1)
    gaudy_BCHW = oversaturate(repeated_BCHW, levels(2, 50))
    torch.testing.assert_close(gaudy_BCHW, repeated_BCHW, rtol=0, atol=5e-3, check_stride=False)
    assert torch.equal(oversaturate(repeated_BCHW.byte(), levels(2, 50)), repeated_BCHW.byte())
