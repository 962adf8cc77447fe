import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sample_pixels import FORMATS, levels, pixels
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


def by_pillow(
    images_BCHW: Tensor, levels_B: Tensor, enlarge: Image.Resampling = BILINEAR
) -> NDArray[np.float32]:
    """In Pillow's single precision, a plane at a time."""
    result_BCHW = images_BCHW.float().contiguous().numpy().copy()
    for planes_CHW, level in zip(result_BCHW, levels_B.tolist(), strict=True):
        for plane_HW in planes_CHW:
            height, width = plane_HW.shape
            small = (max(1, round(width / level)), max(1, round(height / level)))
            reduced = Image.fromarray(plane_HW).resize(small, BILINEAR)
            plane_HW[:] = np.asarray(reduced.resize((width, height), enlarge))
    return result_BCHW


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (7, 2), (24, 31), (70, 40)], ids=str)
def test_images_are_those_of_pillow(
    size: tuple[int, int], channels: int, memory_format: torch.memory_format
) -> None:
    # Neighbours with the same level, and a level that comes back later.
    levels_B = levels(1.01, 1.5, 1.5, 2.0, 3.3, 8.0, 64.0, 1.5)
    images_BCHW = pixels((len(levels_B), channels, *size), torch.float32, memory_format)
    result_BCHW = distortion("downsampling")(images_BCHW, levels_B)
    expected_BCHW = by_pillow(images_BCHW, levels_B)
    np.testing.assert_allclose(result_BCHW.numpy(), expected_BCHW, rtol=0, atol=1e-3)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", [(1, 24), (24, 1), (48, 24)], ids=str)
def test_nearest_enlarges_as_pillow_does(
    size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    # These factors divide the sides, so that no pixel lies midway between two.
    levels_B = levels(2, 3, 3, 8, 24)
    images_BCHW = pixels((len(levels_B), 3, *size), torch.float32, memory_format)
    result_BCHW = distortion("downsampling", enlarge="nearest")(images_BCHW, levels_B)
    expected_BCHW = by_pillow(images_BCHW, levels_B, NEAREST)
    np.testing.assert_allclose(result_BCHW.numpy(), expected_BCHW, rtol=0, atol=1e-3)


def test_nearest_repeats_the_later_of_two_pixels_that_are_equally_near() -> None:
    # 3 pixels become 2, whose centres are 0.75 and 2.25: the middle pixel, 1.5, lies midway.
    image_BCHW = torch.tensor([0.0, 100.0, 200.0]).view(1, 1, 1, 3)
    first, middle, last = distortion("downsampling", enlarge="nearest")(
        image_BCHW, levels(1.5)
    ).flatten()
    assert first < middle
    assert middle == last


def test_a_view_and_double_precision_fare_alike() -> None:
    view_BCHW = pixels((4, 3, 40, 44), torch.float64)[::2, :, 3:-2, 1:30:2]
    levels_B = levels(2.5, 7)
    result_BCHW = distortion("downsampling")(view_BCHW, levels_B)
    expected_BCHW = by_pillow(view_BCHW, levels_B)
    np.testing.assert_allclose(result_BCHW.numpy(), expected_BCHW, rtol=0, atol=1e-3)


def test_nearest_shows_large_pixels_of_one_colour() -> None:
    image_BCHW = pixels((1, 3, 24, 32))
    coarse_BCHW = distortion("downsampling", enlarge="nearest")(image_BCHW, levels(4))
    blocks_BCHWPP = coarse_BCHW.unfold(2, 4, 4).unfold(3, 4, 4)  # P: pixels along a block
    assert torch.equal(blocks_BCHWPP.amax((4, 5)), blocks_BCHWPP.amin((4, 5)))
    assert len(blocks_BCHWPP[..., 0, 0].unique()) > 100


def test_detail_that_the_small_image_cannot_hold_is_averaged_and_not_aliased() -> None:
    stripes_BCHW = torch.tensor([0.0, 255.0]).repeat(32).expand(1, 1, 64, 64).contiguous()
    gray_BCHW = distortion("downsampling")(stripes_BCHW, levels(8))[:, :, 8:-8, 8:-8]
    assert (gray_BCHW - 127.5).abs().max() < 3


def test_no_value_leaves_the_range_of_its_image() -> None:
    images_BCHW = torch.where(pixels((3, 3, 50, 37)) > 20, 255.0, 0.0)
    result_BCHW = distortion("downsampling")(images_BCHW, levels(1.3, 2.9, 30))
    assert result_BCHW.min() >= 0
    assert result_BCHW.max() <= 255


@pytest.mark.parametrize("level", [1.5, 7, 64])
def test_a_constant_image_stays(level: float) -> None:
    image_BCHW = torch.full((1, 3, 37, 50), 173.0)
    result_BCHW = distortion("downsampling")(image_BCHW, levels(level))
    torch.testing.assert_close(result_BCHW, image_BCHW, rtol=0, atol=1e-3)


def test_levels_that_round_to_the_size_itself_change_nothing() -> None:
    image_BCHW = pixels((1, 3, 9, 12))
    assert torch.equal(distortion("downsampling")(image_BCHW, levels(1.02)), image_BCHW)


@pytest.mark.parametrize("enlarge", ["cubic", 1, None])
def test_other_ways_to_enlarge_are_refused(enlarge: object) -> None:
    with pytest.raises(DistortionError, match='downsampling: enlarge is "bilinear" or "nearest"'):
        distortion("downsampling", enlarge=enlarge)
