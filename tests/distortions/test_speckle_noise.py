import numpy as np
import pytest
import torch
from sample_pixels import DTYPES, FORMATS, levels, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

noise = distortion("speckle_noise")


def field(images_BCHW: Tensor, level: float, **options: bool) -> Tensor:
    """The noise relative to the value, in deviations; no pixel may be black."""
    exact_BCHW = images_BCHW.double()
    levels_B = torch.full((len(images_BCHW),), level)
    noisy_BCHW = distortion("speckle_noise", **options)(exact_BCHW, levels_B)
    return (noisy_BCHW / exact_BCHW - 1) / level


def test_noise_is_normal_in_proportion_to_the_value() -> None:
    images_BCHW = pixels((2, 3, 96, 96)).clamp(min=1)
    field_BCHW = field(images_BCHW, 0.3)
    for plane_HW in field_BCHW.flatten(0, 1):
        values_X = plane_HW.flatten().numpy()
        assert stats.kstest(values_X, "norm").pvalue > 1e-4
        assert abs(values_X.std() - 1) < 4.5 / np.sqrt(2 * len(values_X))
    # Nor does the relative noise depend on the value.
    assert stats.spearmanr(field_BCHW.abs().flatten(), images_BCHW.flatten()).pvalue > 1e-4


def test_every_level_scales_the_same_field() -> None:
    images_BCHW = pixels((2, 3, 20, 20)).clamp(min=1)
    unit_BCHW = field(images_BCHW, 1.0)
    for level in (1e-5, 0.1, 10.0):
        torch.testing.assert_close(field(images_BCHW, level), unit_BCHW, rtol=1e-5, atol=1e-7)


def test_on_a_flat_image_it_is_gaussian_noise() -> None:
    images_BCHW = torch.full((2, 3, 8, 9), 80.0)
    keys_B = torch.tensor([1, 2])
    noisy_BCHW = noise(images_BCHW, levels(0.1, 0.5), seed=3, keys_B=keys_B)
    gaussian = distortion("gaussian_noise")
    expected_BCHW = gaussian(images_BCHW, levels(8, 40), seed=3, keys_B=keys_B)
    torch.testing.assert_close(noisy_BCHW, expected_BCHW, rtol=1e-6, atol=1e-4)


def test_black_stays_black() -> None:
    images_BCHW = torch.zeros(2, 3, 8, 8)
    assert torch.equal(noise(images_BCHW, levels(0.1, 10)), images_BCHW)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_noise_does_not_depend_on_type_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    levels_B = levels(0.01, 0.2, 0.9)
    expected_BCHW = noise(pixels((3, 3, 12, 10)), levels_B)
    if dtype == torch.uint8:
        expected_BCHW = expected_BCHW.round().clamp(0, 255)
    noisy_BCHW = noise(pixels((3, 3, 12, 10), dtype, memory_format), levels_B)
    tolerance = 1e-3 if dtype == torch.float64 else 0.0  # float64 holds digits that float32 lacks
    torch.testing.assert_close(
        noisy_BCHW, expected_BCHW.to(dtype), rtol=0, atol=tolerance, check_stride=False
    )


def test_noise_does_not_depend_on_the_batch() -> None:
    images_BCHW = pixels((5, 3, 9, 7))
    levels_B = levels(0.3, 0, 0.01, 10, 0.6)
    whole_BCHW = noise(images_BCHW, levels_B, seed=4)
    for chosen in ([4, 2, 0], [3], [1, 3]):
        part_BCHW = noise(images_BCHW[chosen], levels_B[chosen], seed=4)
        assert torch.equal(part_BCHW, whole_BCHW[chosen])


def test_gray_noise_is_one_factor_for_all_channels() -> None:
    images_BCHW = pixels((2, 3, 64, 64)).clamp(min=1)
    field_BCHW = field(images_BCHW, 0.5, gray=True)
    for channel in (1, 2):
        torch.testing.assert_close(field_BCHW[:, channel], field_BCHW[:, 0], rtol=0, atol=1e-10)
    assert stats.kstest(field_BCHW[:, 0].flatten().numpy(), "norm").pvalue > 1e-4


def test_clipping_rounds_and_limits_as_an_8_bit_sensor_does() -> None:
    images_BCHW = pixels((2, 3, 32, 32))
    free_BCHW = noise(images_BCHW, levels(0.2, 2))
    assert free_BCHW.min() < 0
    assert free_BCHW.max() > 255
    clipped_BCHW = distortion("speckle_noise", clip=True)(images_BCHW, levels(0.2, 2))
    assert torch.equal(clipped_BCHW, free_BCHW.round().clamp(0, 255))


@pytest.mark.parametrize("options", [{"clip": 1}, {"gray": "yes"}], ids=str)
def test_options_are_true_or_false(options: dict[str, bool]) -> None:
    with pytest.raises(DistortionError, match=r"speckle_noise: (clip|gray) is true or false"):
        distortion("speckle_noise", **options)


def test_values_that_a_noise_before_has_pushed_out_are_taken() -> None:
    images_BCHW = torch.tensor([-50.0, 400.0])[:, None, None, None].expand(2, 3, 64, 64)
    noisy_BCHW = noise.apply(images_BCHW, levels(0.1, 0.1), seed=0, keys_B=torch.tensor([1, 2]))
    deviations_B = noisy_BCHW.double().flatten(1).std(1)
    torch.testing.assert_close(deviations_B, levels(5, 40), rtol=4.5 / np.sqrt(2 * 12288), atol=0)
