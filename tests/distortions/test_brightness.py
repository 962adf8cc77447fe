from colorsys import hsv_to_rgb, rgb_to_hsv

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from sample_pixels import FORMATS, levels, pixels
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError


@pytest.mark.parametrize("darken", [False, True])
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_channels_are_those_of_pillows_sum_and_difference(
    memory_format: torch.memory_format, darken: bool
) -> None:
    images_BCHW = pixels((3, 3, 9, 7), torch.uint8, memory_format)
    moved_BCHW = distortion("brightness", darken=darken)(images_BCHW, levels(15, 120, 255))
    combine = ImageChops.subtract if darken else ImageChops.add
    for image_CHW, moved_CHW, level in zip(images_BCHW, moved_BCHW, (15, 120, 255), strict=True):
        image = Image.fromarray(image_CHW.permute(1, 2, 0).contiguous().numpy())
        expected_HWC = np.asarray(combine(image, Image.new("RGB", image.size, (level,) * 3)))
        np.testing.assert_array_equal(moved_CHW.permute(1, 2, 0).numpy(), expected_HWC)


def test_channels_by_hand() -> None:
    image_BCHW = torch.tensor([0.0, 100.0, 250.0]).view(1, 1, 1, 3)
    assert distortion("brightness")(image_BCHW, levels(7.5)).flatten().tolist() == [7.5, 107.5, 255]
    dark_BCHW = distortion("brightness", darken=True)(image_BCHW, levels(7.5))
    assert dark_BCHW.flatten().tolist() == [0, 92.5, 242.5]


def by_colorsys(image_CHW: Tensor, offset: float) -> Tensor:
    columns = []
    for rgb in (image_CHW / 255).flatten(1).T.tolist():
        hue, saturation, value = rgb_to_hsv(*rgb)
        moved = min(max(value + offset / 255, 0.0), 1.0)
        columns.append(hsv_to_rgb(hue, saturation, moved))
    return 255 * torch.tensor(columns, dtype=torch.float64).T.view(image_CHW.shape)


@pytest.mark.parametrize("darken", [False, True])
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_value_is_that_of_hsv(memory_format: torch.memory_format, darken: bool) -> None:
    images_BCHW = pixels((3, 3, 6, 5), torch.float64, memory_format)
    images_BCHW[:, :, 0, 0] = 0  # black has no hue
    images_BCHW[:, :, 0, 1] = torch.tensor([200.0, 0.0, 0.0])
    images_BCHW[:, :, 0, 2] = 255
    levels_B = levels(10, 60, 200)
    moved_BCHW = distortion("brightness", darken=darken, of="value")(images_BCHW, levels_B)
    for image_CHW, moved_CHW, level in zip(images_BCHW, moved_BCHW, levels_B, strict=True):
        expected_CHW = by_colorsys(image_CHW, float(-level if darken else level))
        torch.testing.assert_close(moved_CHW, expected_CHW, rtol=0, atol=1e-9, check_stride=False)


def test_both_ways_are_one_for_a_single_channel() -> None:
    image_BCHW = pixels((1, 1, 8, 8), torch.float64)
    torch.testing.assert_close(
        distortion("brightness", of="value")(image_BCHW, levels(70)),
        distortion("brightness")(image_BCHW, levels(70)),
    )


@pytest.mark.parametrize("of", ["channels", "value"])
def test_pixels_that_an_unlimited_noise_moved_outside_end_within(of: str) -> None:
    outside_BCHW = torch.tensor([-300.0, 0.0, 1e-42, 900.0] * 3).view(1, 3, 2, 2)
    moved_BCHW = distortion("brightness", of=of).apply(
        outside_BCHW, levels(20), seed=0, keys_B=None
    )
    assert moved_BCHW.min() >= 0
    assert moved_BCHW.max() <= 255


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"darken": 1}, "brightness: darken is true or false, not 1"),
        ({"of": "luma"}, 'brightness: of is "channels" or "value", not \'luma\''),
        ({"of": True}, 'brightness: of is "channels" or "value", not True'),
    ],
)
def test_other_options_are_refused(options: dict[str, int | str], message: str) -> None:
    with pytest.raises(DistortionError, match=message):
        distortion("brightness", **options)
