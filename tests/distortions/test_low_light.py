import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from sample_pixels import DTYPES, FORMATS, levels, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

dark = distortion("low_light")
amplified = distortion("low_light", gain=True)


def light(grey_X: np.ndarray | float) -> np.ndarray:
    """Linear light in 0...1 of grey levels, by the definition of sRGB."""
    signal_X = np.asarray(grey_X) / 255
    return np.where(signal_X <= 0.04045, signal_X / 12.92, ((signal_X + 0.055) / 1.055) ** 2.4)


def flat(grey: float, level: float, side: int = 96, **options: bool | float) -> np.ndarray:
    """What is recorded of one grey level, in double precision."""
    images_BCHW = torch.full((1, 3, side, side), grey, dtype=torch.float64)
    values_BCHW: Tensor = distortion("low_light", **options)(images_BCHW, levels(level))
    return values_BCHW.flatten().numpy()


# The scene. A sensor of a billion electrons has next to no noise.


@pytest.mark.parametrize(
    ("grey", "level", "expected"),
    [
        (255, 1, 187.516),  # half of white, by hand: 255 * (1.055 * 0.5^(1 / 2.4) - 0.055)
        (255, 2, 136.960),
        (255, 8, 12.666),  # 1/256 of white: 0.00390625
        (255, 10, 3.2173),  # on the straight piece: 255 * 12.92 / 1024
        (10, 1, 5.0),
        (0, 3, 0.0),
    ],
)
def test_a_stop_halves_the_light(grey: float, level: float, expected: float) -> None:
    values_X = flat(grey, level, 32, full_well=1e9, read_noise=0)
    assert values_X.mean() == pytest.approx(expected, abs=2e-3)


def test_gain_brings_the_brightness_back() -> None:
    images_BCHW = pixels((1, 3, 16, 16), torch.float64)
    bright = distortion("low_light", full_well=1e9, read_noise=0.25, gain=True)
    # At 3 stops photons vary by 1e-4 of white at white, the read noise by less.
    errors_BCHW = bright(images_BCHW, levels(3)) - images_BCHW
    assert errors_BCHW.abs().mean() < 0.05


# The sensor. Bounds are 4.5 standard errors.


@pytest.mark.parametrize(("full_well", "read_noise"), [(10_000, 5), (2_000, 30)])
@pytest.mark.parametrize("gain", [False, True])
def test_photons_and_reading_add_their_variances(
    full_well: float, read_noise: float, gain: bool
) -> None:
    values_X = flat(200, 2, full_well=full_well, read_noise=read_noise, gain=gain)
    electrons_X = light(values_X) * full_well / (4 if gain else 1)
    photons = float(light(200)) * full_well / 4
    variance = photons + read_noise**2
    count = len(electrons_X)
    assert abs(electrons_X.mean() - photons) < 4.5 * math.sqrt(variance / count)
    error = math.sqrt((2 * variance**2 + photons) / count)
    assert abs(((electrons_X - photons) ** 2).mean() - variance) < 4.5 * error


def test_electrons_are_counted_by_the_law_of_poisson() -> None:
    electrons_X = light(flat(255, 10, read_noise=0)) * 10_000
    counts_X = electrons_X.round()
    np.testing.assert_allclose(electrons_X, counts_X, rtol=0, atol=1e-4)
    mean = 10_000 / 1024
    seen = [(counts_X == number).sum() for number in range(3, 20)]
    seen = [(counts_X < 3).sum(), *seen, (counts_X >= 20).sum()]
    expected = stats.poisson.pmf(np.arange(3, 20), mean)
    expected = [stats.poisson.cdf(2, mean), *expected, stats.poisson.sf(19, mean)]
    assert stats.chisquare(seen, np.array(expected) * len(counts_X)).pvalue > 1e-4


def test_reading_is_normal_and_limited_at_black() -> None:
    electrons_X = light(flat(0, 3)) * 10_000
    assert abs((electrons_X == 0).mean() - 0.5) < 4.5 * 0.5 / math.sqrt(len(electrons_X))
    assert stats.kstest(electrons_X[electrons_X > 0] / 5, "halfnorm").pvalue > 1e-4


def test_reading_has_the_same_field_at_every_level() -> None:
    images_BCHW = torch.zeros(2, 3, 16, 16)
    one_BCHW, other_BCHW = dark(images_BCHW, levels(0.5, 13))
    assert torch.equal(one_BCHW, other_BCHW)
    assert one_BCHW.any()


def test_the_smallest_level_has_the_noise_of_the_sensor() -> None:
    electrons_X = light(flat(128, 1e-9)) * 10_000
    photons = float(light(128)) * 10_000
    error = math.sqrt((photons + 25) / (2 * len(electrons_X)))
    assert abs(electrons_X.std() - math.sqrt(photons + 25)) < 4.5 * error


# Damage


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gain": True},
        {"gain": True, "read_noise": 0.25},
        {"full_well": 1000, "read_noise": 20, "gain": True},
    ],
    ids=str,
)
def test_damage_grows_with_every_stop(options: dict[str, bool | float]) -> None:
    ramp_W = torch.linspace(5, 250, 128)
    images_BCHW = ramp_W.expand(1, 3, 64, 128).contiguous()
    kind = distortion("low_light", **options)
    stops = (0.05, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    errors = [
        float((kind(images_BCHW, levels(stop)) - images_BCHW).pow(2).mean()) for stop in stops
    ]
    assert all(less < more for less, more in pairwise(errors))


def test_the_result_stays_in_range() -> None:
    images_BCHW = pixels((3, 3, 16, 16))
    for kind in (dark, amplified):
        for level in (0.01, 4, 20):
            low, high = torch.aminmax(kind(images_BCHW, levels(level, level, level)))
            assert low >= 0
            assert high <= 255


# The same pixels for all


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_record_does_not_depend_on_type_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    levels_B = levels(0.1, 3, 8)
    expected_BCHW = amplified(pixels((3, 3, 12, 10)), levels_B)
    if dtype == torch.uint8:
        expected_BCHW = expected_BCHW.round().clamp(0, 255)
    recorded_BCHW = amplified(pixels((3, 3, 12, 10), dtype, memory_format), levels_B)
    # float32 has the last digits of a power otherwise.
    tolerance = 1e-3 if dtype in (torch.float32, torch.float64) else 1.0
    torch.testing.assert_close(
        recorded_BCHW, expected_BCHW.to(dtype), rtol=0, atol=tolerance, check_stride=False
    )


def test_the_record_does_not_depend_on_the_batch() -> None:
    images_BCHW = pixels((5, 3, 9, 7))
    levels_B = levels(3, 0, 0.01, 20, 7)
    whole_BCHW = dark(images_BCHW, levels_B, seed=4)
    for chosen in ([4, 2, 0], [3], [1, 3]):
        part_BCHW = dark(images_BCHW[chosen], levels_B[chosen], seed=4)
        torch.testing.assert_close(part_BCHW, whole_BCHW[chosen], rtol=0, atol=1e-3)


def test_the_record_stays_what_it_was() -> None:
    images_BCHW = torch.full((1, 1, 1, 4), 180.0)
    values_BCHW = dark(images_BCHW, levels(3), seed=7, keys_B=torch.tensor([11]))
    expected = [68.2594, 68.4853, 68.2903, 67.6579]
    assert values_BCHW.flatten().tolist() == pytest.approx(expected, abs=1e-3)


# Options and other input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"full_well": 10}, r"full_well is a number in 100\.\.\.1e\+09, not 10"),
        ({"full_well": "deep"}, "full_well is a number"),
        ({"read_noise": -1}, r"read_noise is a number in 0\.\.\.1000, not -1"),
        ({"full_well": 200, "read_noise": 21}, r"read_noise is a number in 0\.\.\.20, not 21"),
        ({"gain": 2}, "gain is true or false, not 2"),
        ({"gain": True, "read_noise": 0}, r"with gain, read_noise is at least 0\.25, not 0"),
    ],
    ids=str,
)
def test_unusable_options_are_refused(options: dict[str, bool | float | str], message: str) -> None:
    with pytest.raises(DistortionError, match=f"low_light: {message}"):
        distortion("low_light", **options)


def test_values_that_a_noise_before_has_pushed_out_are_those_of_the_limits() -> None:
    images_BCHW = pixels((2, 3, 8, 8)) * 3 - 200
    keys_B = torch.tensor([1, 2])
    outside_BCHW = dark.apply(images_BCHW, levels(1, 4), seed=0, keys_B=keys_B)
    limited_BCHW = dark.apply(images_BCHW.clamp(0, 255), levels(1, 4), seed=0, keys_B=keys_B)
    assert torch.equal(outside_BCHW, limited_BCHW)
