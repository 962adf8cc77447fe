import numpy as np
import pytest
import torch
from sample_pixels import FORMATS, levels, pixels
from scipy import ndimage, stats
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.distortions.elastic import smooth_fields
from mixqual.errors import DistortionError

elastic = distortion("elastic")


def test_the_mean_squared_length_of_displacements_is_one_in_every_image() -> None:
    for height, width, scale in ((1, 1, 0.08), (1, 12, 0.5), (40, 30, 3.0), (20, 20, 20.0)):
        fields_B2HW = smooth_fields(5, torch.arange(6), height, width, scale)
        assert fields_B2HW.shape == (6, 2, height, width)
        squares_B = fields_B2HW.double().square().sum(1).mean((1, 2))
        torch.testing.assert_close(squares_B, torch.ones_like(squares_B), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def fields_N2HW() -> Tensor:
    """Many fields, large against their scale of 4 pixels, so that norming changes little."""
    return smooth_fields(0, torch.arange(60), 96, 80, 4.0).double()


def test_fields_correlate_as_smoothed_white_noise_does(fields_N2HW: Tensor) -> None:
    # White noise after a Gaussian of deviation s has the correlation exp(-d^2 / (4 s^2)). A patch
    # of 4 pi s^2 = 201 pixels counts as one independent value, so there are 60 * 7680 / 201.
    bound = 5 / np.sqrt(60 * 96 * 80 / 201)
    variance = float(fields_N2HW[:, 0].square().mean())
    assert variance == pytest.approx(0.5, abs=0.5 * bound * np.sqrt(2))
    for down, right in ((1, 0), (0, 2), (4, 0), (0, 6), (4, 4), (0, 12), (20, 20)):
        for component_NHW in (fields_N2HW[:, 0], fields_N2HW[:, 1]):
            one_NHW = component_NHW[:, down:, right:]
            other_NHW = component_NHW[:, : 96 - down, : 80 - right]
            expected = np.exp(-(down**2 + right**2) / (4 * 4.0**2))
            assert float((one_NHW * other_NHW).mean()) / 0.5 == pytest.approx(expected, abs=bound)
    assert abs(float((fields_N2HW[:, 0] * fields_N2HW[:, 1]).mean())) / 0.5 < bound


def test_fields_are_normal_and_the_same_everywhere(fields_N2HW: Tensor) -> None:
    apart = fields_N2HW[:, :, 4::16, 4::16].flatten().numpy()  # four deviations: independent
    assert stats.kstest(apart * np.sqrt(2), "norm").pvalue > 1e-4
    assert abs(apart.mean() * np.sqrt(2)) < 4 / np.sqrt(len(apart))
    # Borders are no exception: 60 fields of two components, about 20 patches along a border.
    for rim in (fields_N2HW[:, :, 0], fields_N2HW[:, :, -1], fields_N2HW[..., 0]):
        assert float(rim.square().mean()) == pytest.approx(0.5, rel=5 * np.sqrt(2 / 900))


def test_a_field_is_as_smooth_as_the_gaussian_that_scipy_applies() -> None:
    # The mean squared slope along an axis of noise that scipy has smoothed, for each variance.
    noise = np.random.default_rng(0).standard_normal((400, 400))
    smooth = ndimage.gaussian_filter(noise, 5.0, mode="wrap")
    expected = (np.diff(smooth, axis=0) ** 2).mean() / smooth.var()
    field_HW = smooth_fields(1, torch.tensor([2]), 400, 400, 5.0)[0, 0].double().numpy()
    assert (np.diff(field_HW, axis=0) ** 2).mean() / field_HW.var() == pytest.approx(
        expected, rel=0.15
    )


def test_a_key_gives_the_same_field_at_any_resolution() -> None:
    keys_B = torch.tensor([7, 8])
    fine_B2HW = smooth_fields(0, keys_B, 90, 60, 6.0)
    coarse_B2HW = smooth_fields(0, keys_B, 30, 20, 2.0)
    torch.testing.assert_close(fine_B2HW[:, :, 1::3, 1::3], coarse_B2HW, rtol=0, atol=0.05)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_an_image_is_displaced_by_level_times_its_field(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = pixels((2, 3, 40, 32), torch.float64, memory_format)
    keys_B, levels_B = torch.tensor([5, 6]), levels(0.4, 9)
    moved_BCHW = distortion("elastic", smoothness=0.1)(images_BCHW, levels_B, seed=3, keys_B=keys_B)
    shifts_B2HW = smooth_fields(3, keys_B, 40, 32, 3.2).double() * levels_B[:, None, None, None]
    rows, columns = np.mgrid[:40, :32].astype(float)
    for image_CHW, moved_CHW, (down_HW, right_HW) in zip(
        images_BCHW, moved_BCHW, shifts_B2HW.numpy(), strict=True
    ):
        for plane_HW, moved_HW in zip(image_CHW.numpy(), moved_CHW.numpy(), strict=True):
            places = [rows + down_HW, columns + right_HW]
            expected = ndimage.map_coordinates(plane_HW, places, order=1, mode="reflect")
            np.testing.assert_allclose(moved_HW, expected, rtol=0, atol=1e-3)


def test_seeds_and_keys_give_other_fields() -> None:
    keys_B = torch.tensor([1, 2, 1])
    first_B2HW = smooth_fields(0, keys_B, 40, 40, 3.0)
    assert torch.equal(first_B2HW[0], first_B2HW[2])
    assert (first_B2HW[0] - first_B2HW[1]).abs().max() > 0.5
    assert (first_B2HW - smooth_fields(1, keys_B, 40, 40, 3.0)).abs().max() > 0.5


def test_damage_grows_continuously_from_none() -> None:
    images_BCHW = pixels((1, 3, 32, 32), torch.float64)
    change_BCHW = elastic(images_BCHW, levels(1e-5)) - images_BCHW
    # Displacements hardly exceed four times their root mean square.
    assert 0 < change_BCHW.abs().max() < 2 * 4e-5 * 255


def test_elastic_stays_what_it_was() -> None:
    field_2HW = smooth_fields(7, torch.tensor([11]), 4, 4, 1.0)[0]
    assert field_2HW[:, 1, 2].tolist() == pytest.approx([-1.16519, 0.15446], abs=1e-4)


@pytest.mark.parametrize("smoothness", [0, 0.009, 1.5, False, "0.1", float("nan")], ids=str)
def test_smoothness_is_a_share_of_the_side(smoothness: float) -> None:
    with pytest.raises(DistortionError, match=r"elastic: smoothness is a number in 0\.01\.\.\.1"):
        distortion("elastic", smoothness=smoothness)
