import numpy as np
import torch
from PIL import Image, ImageEnhance
from sample_pixels import levels, pixels

from mixqual.distortions import distortion

desaturate = distortion("desaturation")


def test_colours_are_those_of_pillow() -> None:
    images_BCHW = pixels((4, 3, 15, 11), torch.uint8)
    levels_B = levels(0.9, 0.6, 0.2, 0.0)
    faded_BCHW = desaturate(images_BCHW.float(), levels_B)
    for image_CHW, faded_CHW, level in zip(images_BCHW, faded_BCHW, levels_B, strict=True):
        image = Image.fromarray(image_CHW.permute(1, 2, 0).contiguous().numpy())
        expected_HWC = np.asarray(ImageEnhance.Color(image).enhance(float(level)))
        # Pillow rounds the grey (up to 0.5) and cuts off the result's fraction (up to 1).
        differences_HWC = faded_CHW.permute(1, 2, 0).numpy() - expected_HWC
        assert np.abs(differences_HWC).max() <= 1.51


def test_nothing_but_pillows_grey_is_left_at_level_0() -> None:
    image_BCHW = pixels((1, 3, 15, 11), torch.uint8)
    grey_CHW = desaturate(image_BCHW.float(), levels(0))[0]
    torch.testing.assert_close(grey_CHW[1:], grey_CHW[:1].expand(2, -1, -1), rtol=0, atol=1e-3)
    expected = Image.fromarray(image_BCHW[0].permute(1, 2, 0).contiguous().numpy()).convert("L")
    assert np.abs(grey_CHW[0].numpy() - np.asarray(expected)).max() <= 0.51


def test_pure_colours_by_hand() -> None:
    # Red of 200 has the luma 59.8; a quarter of its distance from that is left.
    red_BCHW = torch.tensor([200.0, 0.0, 0.0]).view(1, 3, 1, 1)
    faded_BCHW = desaturate(red_BCHW, levels(0.25))
    expected_BCHW = torch.tensor([94.85, 44.85, 44.85]).view(1, 3, 1, 1)
    torch.testing.assert_close(faded_BCHW, expected_BCHW, rtol=0, atol=1e-4)


def test_grey_images_stay() -> None:
    gray_BCHW = pixels((2, 1, 16, 16))
    assert torch.equal(desaturate(gray_BCHW, levels(0.5, 0)), gray_BCHW)
    repeated_BCHW = gray_BCHW.expand(-1, 3, -1, -1)
    faded_BCHW = desaturate(repeated_BCHW, levels(0.5, 0))
    torch.testing.assert_close(faded_BCHW, repeated_BCHW, rtol=0, atol=1e-3, check_stride=False)
    assert torch.equal(desaturate(repeated_BCHW.byte(), levels(0.5, 0)), repeated_BCHW.byte())


def test_no_value_leaves_the_range_of_its_image() -> None:
    share_B = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    white_BCHW = torch.full((50, 3, 7, 5), 255.0)
    assert desaturate(white_BCHW, share_B).max() <= 255
    unlimited_BCHW = pixels((50, 3, 7, 5)) * 4 - 300
    result_BCHW = desaturate.apply(unlimited_BCHW, share_B, seed=0, keys_B=None)
    assert result_BCHW.min() >= unlimited_BCHW.min()
    assert result_BCHW.max() > 255
    assert result_BCHW.max() <= unlimited_BCHW.max()
