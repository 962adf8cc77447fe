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
from mixqual.distortions.motion_blur import line_quadrants
from mixqual.errors import DistortionError

random_blur = distortion("motion_blur")


def spot(side: int = 11) -> Tensor:
    images_BCHW = torch.zeros((1, 1, side, side), dtype=torch.float64)
    images_BCHW[0, 0, side // 2, side // 2] = 240
    return images_BCHW


def mean_along_line(
    plane: NDArray[np.float64], length: float, angle: float, points: int = 2000
) -> NDArray[np.float64]:
    """By many points: scipy interpolates at each."""
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]].astype(float)
    total = np.zeros_like(plane)
    for place in ((np.arange(points) + 0.5) / points - 0.5) * length:
        down = -place * math.sin(math.radians(angle))
        right = place * math.cos(math.radians(angle))
        total += ndimage.map_coordinates(
            plane, [rows + down, columns + right], order=1, mode="reflect"
        )
    return total / points


@pytest.mark.parametrize(
    ("angle", "length", "expected"),
    [
        # A line of 4 pixels ends at two centres; of 1, it takes (1/2)^2 / 2 from each neighbour.
        (0, 4, {(0, 0): 1 / 4, (0, 1): 1 / 4, (0, -1): 1 / 4, (0, 2): 1 / 8, (0, -2): 1 / 8}),
        (90, 1, {(0, 0): 3 / 4, (1, 0): 1 / 8, (-1, 0): 1 / 8}),
        # From one corner neighbour, up and to the right, to the opposite: means of s^2 and s(1-s).
        (
            45,
            2 * math.sqrt(2),
            {(0, 0): 1 / 3, (-1, 1): 1 / 6, (1, -1): 1 / 6}
            | dict.fromkeys([(0, 1), (1, 0), (0, -1), (-1, 0)], 1 / 12),
        ),
    ],
)
def test_a_spot_is_drawn_out_as_worked_out_by_hand(
    angle: float, length: float, expected: dict[tuple[int, int], float]
) -> None:
    blurred_HW = distortion("motion_blur", angle=angle)(spot(), levels(length))[0, 0]
    expected_HW = torch.zeros_like(blurred_HW)
    for (row, column), share in expected.items():
        expected_HW[5 + row, 5 + column] = 240 * share
    torch.testing.assert_close(blurred_HW, expected_HW, rtol=0, atol=1e-9)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (3, 8), (24, 21)], ids=str)
@pytest.mark.parametrize("angle", [20.0, 90.0, 137.5])
def test_blur_is_the_mean_along_the_line(
    angle: float, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    lengths = (0.4, 3.7, 30.0)
    images_BCHW = pixels((3, 1, *size), memory_format=memory_format)
    blurred_BCHW = distortion("motion_blur", angle=angle)(images_BCHW, levels(*lengths))
    for image_CHW, blurred_CHW, length in zip(images_BCHW, blurred_BCHW, lengths, strict=True):
        expected = mean_along_line(image_CHW[0].double().numpy(), length, angle, 600)
        # Points 1/20 of a pixel apart miss the kinks of the interpolation by a little.
        np.testing.assert_allclose(blurred_CHW[0].numpy(), expected, rtol=0, atol=0.05)


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.floats(1e-9, 500), min_size=1, max_size=3),
    angle=st.one_of(st.floats(0, 180), st.sampled_from([0.0, 45.0, 90.0, 135.0, 1e-300])),
)
def test_weights_of_any_line_sum_to_one_about_its_middle(
    lengths: list[float], angle: float
) -> None:
    quadrants = line_quadrants(levels(*lengths), torch.full((len(lengths),), angle).double())
    right_BRR, left_BRR = quadrants
    assert min(right_BRR.min(), left_BRR.min()) >= 0
    assert torch.equal(right_BRR[:, 0], left_BRR[:, 0])
    assert torch.equal(right_BRR[:, :, 0], left_BRR[:, :, 0])
    offsets_R = torch.arange(right_BRR.shape[1], dtype=torch.float64)
    sides_R = torch.where(offsets_R == 0, 1.0, 2.0).double()
    even_BRR = (right_BRR + left_BRR) / 2
    sums_B = torch.einsum("brs,r,s->b", even_BRR, sides_R, sides_R)
    torch.testing.assert_close(sums_B, torch.ones_like(sums_B), rtol=0, atol=1e-9)
    # Whatever the angle, a point lies on the line at x cos + y sin, whose variance is L^2 / 12,
    # and bilinear weights keep the first moments of x and y; the second they raise by 1/4 at most.
    squares_B = torch.einsum("brs,r,s,r->b", even_BRR, sides_R, sides_R, offsets_R**2)
    squares_B += torch.einsum("brs,r,s,s->b", even_BRR, sides_R, sides_R, offsets_R**2)
    variances_B = levels(*lengths).square() / 12
    assert (squares_B >= variances_B - 1e-6).all()
    assert (squares_B <= variances_B + 0.5 + 1e-6).all()


def test_any_angle_is_known_modulo_half_a_turn() -> None:
    images_BCHW = pixels((1, 3, 15, 18), torch.float64)
    first_BCHW = distortion("motion_blur", angle=30)(images_BCHW, levels(9))
    for angle in (210, -150, 30.0 + 360 * 5):
        same_BCHW = distortion("motion_blur", angle=angle)(images_BCHW, levels(9))
        torch.testing.assert_close(same_BCHW, first_BCHW, rtol=0, atol=1e-9)


def test_a_quarter_turn_of_image_and_line_turns_the_result() -> None:
    images_BCHW = pixels((1, 1, 14, 9), torch.float64)
    blurred_BCHW = distortion("motion_blur", angle=25)(images_BCHW, levels(7.3))
    # rot90 turns counter-clockwise as seen.
    turned_BCHW = distortion("motion_blur", angle=115)(images_BCHW.rot90(1, (2, 3)), levels(7.3))
    torch.testing.assert_close(turned_BCHW, blurred_BCHW.rot90(1, (2, 3)), rtol=0, atol=1e-9)


def test_blur_grows_continuously_from_none() -> None:
    images_BCHW = pixels((1, 3, 16, 16), torch.float64)
    for length in (1e-6, 1e-3):
        change_BCHW = distortion("motion_blur", angle=60)(images_BCHW, levels(length)) - images_BCHW
        # Each pixel gives away less than L/4 * (|sin| + |cos|) of itself.
        assert 0 < change_BCHW.abs().max() < 255 * length * 0.35


# Random angles


def angle_of(blurred_HW: Tensor) -> float:
    """The direction in which a spot was drawn out, from its second moments."""
    centre = blurred_HW.shape[0] // 2
    offsets_S = torch.arange(blurred_HW.shape[0], dtype=torch.float64) - centre
    shares_HW = blurred_HW / blurred_HW.sum()
    down, right = offsets_S[:, None], offsets_S[None]
    across = float((shares_HW * (right**2 - down**2)).sum())
    mixed = float((shares_HW * -down * right).sum())
    return math.degrees(0.5 * math.atan2(2 * mixed, across)) % 180


def test_an_angle_is_drawn_from_seed_and_key_whatever_the_level() -> None:
    images_BCHW = spot(101).expand(3, -1, -1, -1)
    keys_B = torch.tensor([4, 4, 9])
    blurred_BCHW = random_blur(images_BCHW, levels(30, 60, 60), seed=2, keys_B=keys_B)
    short, long, other = (angle_of(blurred_HW) for blurred_HW in blurred_BCHW[:, 0])
    assert abs((short - long + 90) % 180 - 90) < 0.5
    assert abs((other - long + 90) % 180 - 90) > 2
    fixed_BCHW = distortion("motion_blur", angle=long)(images_BCHW[:1], levels(60))
    assert (fixed_BCHW - blurred_BCHW[1]).abs().max() < 1


def test_random_angles_are_uniform() -> None:
    count = 200
    images_BCHW = spot(25).expand(count, -1, -1, -1)
    blurred_BCHW = random_blur(images_BCHW, torch.full((count,), 20.0), keys_B=torch.arange(count))
    shares = np.array([angle_of(blurred_HW) for blurred_HW in blurred_BCHW[:, 0]]) / 180
    # Kolmogorov and Smirnov's statistic exceeds 2.2 / sqrt(n) once in 8,000 times.
    places = np.sort(shares) - (np.arange(count) + 0.5) / count
    assert np.abs(places).max() < 2.2 / math.sqrt(count)


def test_only_random_angles_need_more_than_one_draw() -> None:
    assert random_blur.random
    fixed = distortion("motion_blur", angle=0)
    assert not fixed.random
    assert random_blur.random  # the other one has not changed it
    images_BCHW = pixels((2, 3, 12, 12))
    first_BCHW, second_BCHW = (fixed(images_BCHW, levels(5, 9), seed=seed) for seed in (0, 1))
    assert torch.equal(first_BCHW, second_BCHW)


def test_motion_blur_stays_what_it_was() -> None:
    # Another angle would make a new sweep incomparable with an old one.
    blurred_BCHW = random_blur(spot(5), levels(3), seed=7, keys_B=torch.tensor([11]))
    assert blurred_BCHW[0, 0, 1].tolist() == pytest.approx([0, 41.7046, 25.2600, 0, 0], abs=1e-3)


@pytest.mark.parametrize("angle", ["left", "", True, math.nan, math.inf, None], ids=str)
def test_an_angle_is_a_number_or_random(angle: object) -> None:
    with pytest.raises(DistortionError, match=r'motion_blur: angle is a number .* or "random"'):
        distortion("motion_blur", angle=angle)
