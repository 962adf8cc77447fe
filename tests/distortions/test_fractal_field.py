from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixqual.distortions.fractal_field import fractal_fields
from mixqual.distortions.keyed import generators

SIZES = ((1, 2), (2, 1), (1, 9), (7, 1), (2, 2), (5, 4), (33, 20), (64, 97))
EXPONENTS = (0.0, 1.0, 3.0, 6.0)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fields_have_mean_0_and_deviation_1_at_any_size(
    size: tuple[int, int], exponent: float
) -> None:
    fields_BHW = fractal_fields(3, torch.arange(4), *size, exponent)
    assert fields_BHW.shape == (4, *size)
    assert fields_BHW.dtype == torch.float32
    exact_BHW = fields_BHW.double()
    torch.testing.assert_close(
        exact_BHW.mean((1, 2)), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        exact_BHW.pow(2).mean((1, 2)), torch.ones(4, dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_a_single_pixel_has_the_field_0() -> None:
    assert fractal_fields(0, torch.arange(3), 1, 1, 3.0).tolist() == [[[0.0]]] * 3


def test_exponent_0_is_the_white_noise_of_the_key() -> None:
    keys_B = torch.tensor([5, -9])
    fields_BHW = fractal_fields(2, keys_B, 24, 31, 0.0)
    for field_HW, generator in zip(fields_BHW, generators(2, keys_B), strict=True):
        noise_HW = torch.empty(24, 31).normal_(generator=generator).double()
        expected_HW = (noise_HW - noise_HW.mean()) / noise_HW.std(correction=0)
        torch.testing.assert_close(field_HW.double(), expected_HW, rtol=0, atol=1e-5)


def flattened(fields_BHW: Tensor, exponent: float) -> tuple[NDArray[np.float64], ...]:
    """Power times f^exponent, of mean 1 in each field, and the frequencies down and across."""
    height, width = fields_BHW.shape[1:]
    power_BHW = np.abs(np.fft.fft2(fields_BHW.double().numpy())) ** 2
    down_HW, across_HW = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    white_BHW = power_BHW * np.hypot(down_HW, across_HW) ** exponent
    return white_BHW / white_BHW.mean((1, 2), keepdims=True), down_HW, across_HW


@pytest.mark.parametrize("exponent", [1.0, 3.0])
def test_power_falls_as_the_exponent_says_at_all_frequencies_and_directions(
    exponent: float,
) -> None:
    fields_BHW = fractal_fields(0, torch.arange(8), 96, 128, exponent)
    white_BHW, down_HW, across_HW = flattened(fields_BHW, exponent)
    frequencies_HW = np.hypot(down_HW, across_HW)
    steep_HW = np.abs(down_HW) > np.abs(across_HW)
    for low, high in ((0.01, 0.1), (0.1, 0.25), (0.25, 0.71)):
        band_HW = (frequencies_HW > low) & (frequencies_HW <= high)
        for chosen_HW in (band_HW & steep_HW, band_HW & ~steep_HW):
            # Powers are exponential, with a deviation as large as their mean, and come in pairs.
            values = white_BHW[:, chosen_HW]
            assert abs(values.mean() - 1) < 4 / np.sqrt(values.size / 2)


def test_a_larger_exponent_is_smoother() -> None:
    steps = [
        fractal_fields(1, torch.arange(4), 64, 64, exponent).diff(dim=2).pow(2).mean((1, 2))
        for exponent in (0, 1, 2, 3, 4)
    ]
    for rougher_B, smoother_B in pairwise(steps):
        assert (smoother_B < rougher_B).all()


def test_fields_do_not_depend_on_the_batch_by_a_bit() -> None:
    keys_B = torch.tensor([4, -(2**63), 2**63 - 1, 0, 77])
    together_BHW = fractal_fields(6, keys_B, 40, 37, 2.5)
    order = torch.tensor([3, 0, 4, 2, 1])
    assert torch.equal(fractal_fields(6, keys_B[order], 40, 37, 2.5), together_BHW[order])
    for index in range(5):
        alone_1HW = fractal_fields(6, keys_B[index : index + 1], 40, 37, 2.5)
        assert torch.equal(alone_1HW[0], together_BHW[index])


def test_fields_of_other_keys_and_seeds_are_independent() -> None:
    fields_BN = torch.cat(
        [fractal_fields(seed, torch.tensor([0, 1]), 64, 64, 0.0) for seed in (0, 1, -5)]
    ).flatten(1)
    correlations_BB = fields_BN @ fields_BN.T / 64**2
    bound = 4 / 64  # standard errors of a correlation of 64^2 pairs
    assert (correlations_BB - torch.eye(6)).abs().max() < bound


def test_fields_do_not_depend_on_nor_disturb_the_global_generator() -> None:
    torch.manual_seed(1)
    following = torch.rand(3)
    torch.manual_seed(1)
    first_BHW = fractal_fields(0, torch.arange(2), 8, 9, 2.0)
    assert torch.equal(torch.rand(3), following)
    assert torch.equal(fractal_fields(0, torch.arange(2), 8, 9, 2.0), first_BHW)


def test_no_keys_give_no_fields() -> None:
    assert fractal_fields(0, torch.empty(0, dtype=torch.int64), 5, 6, 2.0).shape == (0, 5, 6)


def test_fields_stay_what_they_were() -> None:
    # Another field would make a new sweep incomparable with an old one.
    row = fractal_fields(7, torch.tensor([11]), 4, 4, 3.0)[0, 0]
    assert row.tolist() == pytest.approx([-0.36930, -1.74662, -0.81376, -0.42892], abs=1e-4)
