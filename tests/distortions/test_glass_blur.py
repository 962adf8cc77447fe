from itertools import combinations

import numpy as np
import pytest
import torch
from sample_pixels import FORMATS, levels, pixels
from scipy import stats
from scipy.ndimage import gaussian_filter
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

glass = distortion("glass_blur")
rough = distortion("glass_blur", sigma=0)
SIDE = 160


def displacements(level: float, seed: int = 0, key: int = 3) -> Tensor:
    """By how much (rows, columns), told by ramps: (2, inner, inner), in shares of the level."""
    ramp_HW = torch.arange(float(SIDE), dtype=torch.float64).expand(SIDE, SIDE)
    images_BCHW = torch.stack([ramp_HW.T, ramp_HW])[:, None].contiguous()
    keys_B = torch.tensor([key, key])
    moved_BCHW = rough(images_BCHW, levels(level, level), seed=seed, keys_B=keys_B)
    return ((moved_BCHW - images_BCHW) / level)[:, 0, 10:-10, 10:-10]


# Bounds are four standard errors of the statistic of independent uniform numbers.


def test_displacements_are_uniform_between_plus_and_minus_the_level() -> None:
    for values in displacements(8.0).flatten(1).numpy():
        count = len(values)
        assert np.abs(values).max() <= 1 + 1e-6
        assert abs(values.mean()) < 4 * np.sqrt(1 / 3 / count)
        assert abs((values**2).mean() - 1 / 3) < 4 * np.sqrt(4 / 45 / count)
        assert stats.kstest(values, "uniform", args=(-1, 2)).pvalue > 1e-4


def test_displacements_are_independent_between_axes_pixels_seeds_and_keys() -> None:
    fields = [*displacements(8.0), *displacements(8.0, seed=1), *displacements(8.0, key=4)]
    bound = 4 / 3 / np.sqrt(fields[0].numel())
    for one_HW, other_HW in combinations(fields, 2):
        assert abs((one_HW * other_HW).mean()) < bound
    for shift in ((0, 1), (1, 0), (1, 1)):
        assert abs((fields[0] * fields[0].roll(shift, (0, 1))).mean()) < bound


def test_every_level_scales_the_same_displacements() -> None:
    unit_2HW = displacements(1.0)
    for level in (0.01, 0.5, 3.0, 9.0):
        torch.testing.assert_close(displacements(level), unit_2HW, rtol=0, atol=1e-5)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_gaussians_of_a_share_of_the_level_smooth_before_and_after(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = pixels((2, 3, 30, 26), torch.float64, memory_format)
    keys_B, levels_B = torch.tensor([1, 2]), levels(1, 6)

    def smoothed(batch_BCHW: Tensor) -> Tensor:
        planes = [
            [gaussian_filter(plane, 0.5 * level, mode="reflect", truncate=4) for plane in image]
            for image, level in zip(batch_BCHW.numpy(), levels_B.tolist(), strict=True)
        ]
        return torch.from_numpy(np.array(planes)).clamp(0, 255)

    expected_BCHW = smoothed(rough(smoothed(images_BCHW), levels_B, keys_B=keys_B))
    blurred_BCHW = distortion("glass_blur", sigma=0.5)(images_BCHW, levels_B, keys_B=keys_B)
    torch.testing.assert_close(blurred_BCHW, expected_BCHW, rtol=0, atol=1e-8, check_stride=False)


def test_glass_does_not_mix_what_lies_apart_nor_leave_the_range() -> None:
    images_BCHW = torch.zeros(1, 3, 40, 40)
    images_BCHW[..., 20:] = 255
    moved_BCHW = rough(images_BCHW, levels(4))
    for apart in (slice(0, 15), slice(25, 40)):
        torch.testing.assert_close(
            moved_BCHW[..., apart], images_BCHW[..., apart], rtol=0, atol=1e-3
        )
    assert 0 < moved_BCHW[..., 15:25].std() < 255
    assert moved_BCHW.min() == 0
    assert moved_BCHW.max() == 255


def test_all_channels_are_displaced_together() -> None:
    images_BCHW = pixels((1, 1, 20, 20), torch.float64).expand(-1, 3, -1, -1)
    moved_BCHW = glass(images_BCHW, levels(3))
    for channel in (1, 2):
        assert torch.equal(moved_BCHW[:, channel], moved_BCHW[:, 0])


def test_damage_grows_continuously_from_none() -> None:
    images_BCHW = pixels((1, 3, 16, 16), torch.float64)
    # Too little a Gaussian has no weight beside its centre; then places move by 1e-4 along an axis.
    change_BCHW = glass(images_BCHW, levels(1e-4)) - images_BCHW
    assert 0 < change_BCHW.abs().max() < 2e-4 * 255


def test_glass_stays_what_it_was() -> None:
    ramp_BCHW = torch.arange(64.0).view(1, 1, 8, 8)
    moved_BCHW = rough(ramp_BCHW, levels(1), seed=7, keys_B=torch.tensor([11]))
    assert moved_BCHW[0, 0, 4, 2:6].tolist() == pytest.approx(
        [31.2321, 39.2765, 29.6740, 43.6560], abs=1e-3
    )


@pytest.mark.parametrize("sigma", [-0.1, 11, True, "0.4", float("nan")], ids=str)
def test_sigma_is_a_share_that_is_not_negative(sigma: float) -> None:
    with pytest.raises(DistortionError, match=r"glass_blur: sigma is a number in 0\.\.\.10"):
        distortion("glass_blur", sigma=sigma)
