import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from sample_pixels import FORMATS, levels, pixels

from mixqual.distortions import distortion

contrast = distortion("contrast")


def test_a_gray_image_becomes_that_of_pillow() -> None:
    image_BCHW = pixels((1, 1, 20, 30), torch.uint8)
    image = Image.fromarray(image_BCHW[0, 0].numpy())
    for level in (0.9, 0.5, 0.1):
        expected_HW = np.asarray(ImageEnhance.Contrast(image).enhance(level)).astype(float)
        flat_HW = contrast(image_BCHW.float(), levels(level))[0, 0].numpy()
        # Pillow rounds the mean (up to 0.5) and cuts off the result's fraction (up to 1).
        assert np.abs(flat_HW - expected_HW).max() <= 1.5


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_means_stay_and_deviations_shrink_to_the_level_in_every_channel(
    channels: int, memory_format: torch.memory_format
) -> None:
    images_BCHW = pixels((3, channels, 13, 8), torch.float64, memory_format)
    levels_B = levels(0.75, 0.3, 0.0)
    flat_BCHW = contrast(images_BCHW, levels_B)
    means_BC = images_BCHW.mean((2, 3))
    torch.testing.assert_close(flat_BCHW.mean((2, 3)), means_BC)
    deviations_BCHW = images_BCHW - means_BC[:, :, None, None]
    for index, level in enumerate(levels_B.tolist()):
        torch.testing.assert_close(
            flat_BCHW[index] - means_BC[index, :, None, None],
            level * deviations_BCHW[index],
            rtol=0,
            atol=1e-10,
            check_stride=False,
        )


def test_a_view_that_is_neither_contiguous_nor_channels_last_fares_alike() -> None:
    whole_BCHW = pixels((4, 3, 20, 24))
    view_BCHW = whole_BCHW[::2, :, 3:-2, 1:20:2]
    levels_B = levels(0.5, 0.2)
    expected_BCHW = contrast(view_BCHW.contiguous(), levels_B)
    torch.testing.assert_close(contrast(view_BCHW, levels_B), expected_BCHW, check_stride=False)


def test_by_hand() -> None:
    # Mean 100: half of the distances -90, -10 and 100 is left.
    image_BCHW = torch.tensor([10.0, 90.0, 200.0]).view(1, 1, 1, 3)
    assert contrast(image_BCHW, levels(0.5)).flatten().tolist() == [55, 95, 150]
    assert contrast(image_BCHW, levels(0)).flatten().tolist() == [100, 100, 100]


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)], ids=str)
def test_an_image_of_one_colour_stays(size: tuple[int, int]) -> None:
    image_BCHW = torch.tensor([3.0, 77.0, 255.0])[None, :, None, None].expand(1, 3, *size)
    torch.testing.assert_close(contrast(image_BCHW, levels(0.4)), image_BCHW, check_stride=False)
    assert torch.equal(contrast(image_BCHW.byte(), levels(0.4)), image_BCHW.byte())


def test_the_level_runs_down_from_1() -> None:
    assert (contrast.clean_level, contrast.worst_level) == (1, 0)


def test_no_value_leaves_the_range_of_its_image() -> None:
    share_B = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    white_BCHW = torch.full((50, 3, 7, 5), 255.0)
    assert contrast(white_BCHW, share_B).max() <= 255
    unlimited_BCHW = pixels((50, 3, 7, 5)) * 4 - 300
    result_BCHW = contrast.apply(unlimited_BCHW, share_B, seed=0, keys_B=None)
    assert result_BCHW.min() >= unlimited_BCHW.min()
    assert result_BCHW.max() > 255
    assert result_BCHW.max() <= unlimited_BCHW.max()
