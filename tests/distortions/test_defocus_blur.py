import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sample_pixels import FORMATS, levels, pixels
from scipy.signal import convolve2d

from mixqual.distortions import distortion
from mixqual.distortions.defocus_blur import disk_quadrants

blur = distortion("defocus_blur")


def kernel_by_counting(radius: float, parts: int = 60) -> NDArray[np.float64]:
    """The shares of a disk, from parts x parts points in each pixel."""
    reach = math.ceil(radius)
    side = 2 * reach + 1
    points = (np.arange(side * parts) + 0.5) / parts - reach - 0.5
    inside = points[:, None] ** 2 + points**2 <= radius**2
    counts = inside.reshape(side, parts, side, parts).sum((1, 3))
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def test_a_disk_of_radius_one_by_hand() -> None:
    # With S(x), the integral of sqrt(1 - x^2): the disk beyond x > 1/2 and y > 1/2 has the area
    # S(sqrt(3)/2) - S(1/2) - (sqrt(3)/2 - 1/2) / 2 = pi/12 - (sqrt(3) - 1)/4.
    corner = (math.pi / 12 - (math.sqrt(3) - 1) / 4) / math.pi
    centre = 1 / math.pi
    edge = (1 - centre - 4 * corner) / 4
    expected_RR = levels(centre, edge, edge, corner).view(2, 2)
    torch.testing.assert_close(disk_quadrants(levels(1))[0], expected_RR, rtol=0, atol=1e-12)


@pytest.mark.parametrize("radius", [0.6, 0.8, 1.5, 2.3, 7.0, 12.49])
def test_a_pixel_counts_by_the_area_of_it_within_the_disk(radius: float) -> None:
    # Counting errs by the points next to the rim: of 60 in a row, by less than one.
    quadrant_RR = disk_quadrants(levels(radius))[0].numpy()
    centre = math.ceil(radius)
    counted = kernel_by_counting(radius)[centre:, centre:]
    size = min(len(counted), len(quadrant_RR))
    np.testing.assert_allclose(
        quadrant_RR[:size, :size], counted[:size, :size], atol=1 / 60 / (math.pi * radius**2)
    )


@settings(deadline=None, max_examples=30)
@given(radii=st.lists(st.floats(1e-9, 200), min_size=1, max_size=3))
def test_shares_of_any_disk_sum_to_one_and_vanish_beyond_it(radii: list[float]) -> None:
    quadrants_BRR = disk_quadrants(levels(*radii))
    offsets_R = torch.arange(quadrants_BRR.shape[1], dtype=torch.float64)
    sides_R = torch.where(offsets_R == 0, 1.0, 2.0).double()
    sums_B = torch.einsum("brs,r,s->b", quadrants_BRR, sides_R, sides_R)
    torch.testing.assert_close(sums_B, torch.ones_like(sums_B), rtol=0, atol=1e-9)
    assert quadrants_BRR.min() >= 0
    nearest_RR = (offsets_R - 0.5).clamp_min(0).square()
    for quadrant_RR, radius in zip(quadrants_BRR, radii, strict=True):
        beyond_RR = nearest_RR[:, None] + nearest_RR > radius**2 + 1e-9
        assert quadrant_RR[beyond_RR].abs().sum() < 1e-9


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (40, 31)], ids=str)
def test_defocus_is_scipys_convolution_with_the_disk(
    size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    radii = (0.7, 2.5, 5.0, 12.3)
    images_BCHW = pixels((4, 3, *size), memory_format=memory_format)
    expected = [
        [
            convolve2d(
                np.pad(plane, math.ceil(radius), "symmetric"), kernel_by_counting(radius), "valid"
            )
            for plane in image.double().numpy()
        ]
        for image, radius in zip(images_BCHW, radii, strict=True)
    ]
    blurred_BCHW = blur(images_BCHW, levels(*radii)).numpy()
    # Errors of counting along the rim are random: their sum, over 255 grey levels, stays small.
    np.testing.assert_allclose(blurred_BCHW, expected, rtol=0, atol=0.5)


def test_a_disk_within_one_pixel_changes_nothing_and_growth_from_there_is_continuous() -> None:
    images_BCHW = pixels((1, 3, 20, 20), torch.float64)
    inside_BCHW = blur(images_BCHW, levels(0.5))
    torch.testing.assert_close(inside_BCHW, images_BCHW, rtol=0, atol=1e-9)
    # Of a disk a little larger, four caps reach out: a share of (4/3) * sqrt(2 * 0.5) * h^1.5 each.
    height = 1e-3
    little_BCHW = blur(images_BCHW, levels(0.5 + height))
    out = 4 * (4 / 3) * height**1.5 / (math.pi * 0.25)
    assert 0 < (little_BCHW - images_BCHW).abs().max() < 255 * out
    for radius in (3.3, 8.5, 30.0):
        near_BCHW = blur(images_BCHW, levels(radius * (1 + 1e-7)))
        difference_BCHW = near_BCHW - blur(images_BCHW, levels(radius))
        assert difference_BCHW.abs().max() < 1e-4


def test_a_radius_beyond_the_image_comes_near_its_mean() -> None:
    images_BCHW = pixels((1, 1, 16, 16), torch.float64)
    blurred_BCHW = blur(images_BCHW, levels(200))
    assert (blurred_BCHW - images_BCHW.mean()).abs().max() < 1


def test_very_different_radii_in_one_batch_are_those_of_each_alone() -> None:
    images_BCHW = pixels((4, 3, 50, 40))
    levels_B = levels(1, 100, 2.5, 20)
    together_BCHW = blur(images_BCHW, levels_B)
    for index in range(4):
        part = slice(index, index + 1)
        torch.testing.assert_close(
            together_BCHW[part], blur(images_BCHW[part], levels_B[part]), rtol=0, atol=1e-3
        )


def test_the_level_of_defocus_is_a_length_that_scales_with_the_image() -> None:
    assert blur.scales_with_size
    assert not blur.random
