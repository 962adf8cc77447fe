import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sample_pixels import DTYPES, FORMATS, levels, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

noise = distortion("shot_noise")


def flat(grey: float, level: float, side: int = 96) -> np.ndarray:
    """The values of one grey level under noise, in double precision."""
    images_BCHW = torch.full((1, 3, side, side), grey, dtype=torch.float64)
    values_BCHW: Tensor = noise(images_BCHW, levels(level))
    return values_BCHW.flatten().numpy()


# Statistics. Bounds are 4.5 standard errors.


@pytest.mark.parametrize("level", [0.02, 0.3, 5, 60, 255])
@pytest.mark.parametrize("grey", [1, 51, 128, 255])
def test_the_mean_stays_and_the_variance_is_the_values_share_of_that_of_white(
    grey: float, level: float
) -> None:
    values_X = flat(grey, level)
    variance = level**2 * grey / 255
    photons = grey * 255 / level**2
    count = len(values_X)
    assert abs(values_X.mean() - grey) < 4.5 * math.sqrt(variance / count)
    # The fourth moment of Poisson's law is 3 mean^2 + mean.
    error = variance * math.sqrt((2 + 1 / photons) / count)
    assert abs(((values_X - grey) ** 2).mean() - variance) < 4.5 * error


@pytest.mark.parametrize(("grey", "level"), [(128, 255), (3, 60), (200, 60), (90, 20)])
def test_photons_are_counted_by_the_law_of_poisson(grey: float, level: float) -> None:
    photons_X = flat(grey, level) * 255 / level**2
    counts_X = photons_X.round()
    np.testing.assert_allclose(photons_X, counts_X, rtol=0, atol=1e-9)
    mean = grey * 255 / level**2
    low, high = stats.poisson.ppf((0.002, 0.998), mean).astype(int)
    seen = [(counts_X == number).sum() for number in range(low + 1, high)]
    seen = [(counts_X <= low).sum(), *seen, (counts_X >= high).sum()]
    expected = stats.poisson.pmf(np.arange(low + 1, high), mean)
    expected = [stats.poisson.cdf(low, mean), *expected, stats.poisson.sf(high - 1, mean)]
    assert stats.chisquare(seen, np.array(expected) * len(counts_X)).pvalue > 1e-4


@pytest.mark.parametrize("level", [0.0999, 0.1])
@pytest.mark.parametrize("grey", [1, 200])
def test_where_counts_give_way_to_the_normal_law_both_are_the_same(
    grey: float, level: float
) -> None:
    deviations_X = (flat(grey, level) - grey) / (level * math.sqrt(grey / 255))
    assert stats.kstest(deviations_X, "norm").pvalue > 1e-4


def test_black_stays_black_and_nothing_gets_darker_than_black() -> None:
    for level in (1e-300, 0.05, 5, 255):
        assert not flat(0, level, 8).any()
        one_bright_BCHW = torch.full((1, 3, 32, 32), 1e-3)
        one_bright_BCHW[..., 0, 0] = 255  # or it would be taken for fractions
        levels_B = torch.tensor([level], dtype=torch.float64)
        assert bool((distortion("shot_noise")(one_bright_BCHW, levels_B) >= 0).all())


def test_channels_and_neighbours_are_independent() -> None:
    planes_CHW = flat(128, 30).reshape(3, 96, 96) - 128
    bound = 4.5 * 30**2 * 128 / 255 / 96
    for other_CHW in (np.roll(planes_CHW, 1, 0), np.roll(planes_CHW, 1, 1)):
        assert (np.abs((planes_CHW * other_CHW).mean((1, 2))) < bound).all()


# The same pixels for all


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_photons_do_not_depend_on_type_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    expected_BCHW = noise(pixels((3, 3, 12, 10), torch.float64), levels(0.05, 20, 90))
    if dtype == torch.uint8:
        expected_BCHW = expected_BCHW.round().clamp(0, 255)
    noisy_BCHW = noise(pixels((3, 3, 12, 10), dtype, memory_format), levels(0.05, 20, 90))
    torch.testing.assert_close(
        noisy_BCHW, expected_BCHW.float().to(dtype), rtol=0, atol=1e-4, check_stride=False
    )


def test_photons_do_not_depend_on_the_batch() -> None:
    images_BCHW = pixels((5, 3, 9, 7))
    levels_B = levels(3, 0, 0.01, 250, 40)
    whole_BCHW = noise(images_BCHW, levels_B, seed=4)
    for chosen in ([4, 2, 0], [3], [1, 3]):
        part_BCHW = noise(images_BCHW[chosen], levels_B[chosen], seed=4)
        assert torch.equal(part_BCHW, whole_BCHW[chosen])


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_photons_do_not_depend_on_the_number_of_threads() -> None:
    images_BCHW = pixels((2, 3, 150, 150))  # more than PyTorch's grain of 32,768 numbers
    torch.set_num_threads(1)
    alone_BCHW = noise(images_BCHW, levels(0.05, 50), seed=3)
    torch.set_num_threads(3)
    assert torch.equal(noise(images_BCHW, levels(0.05, 50), seed=3), alone_BCHW)


def test_photons_do_not_depend_on_nor_disturb_the_global_generator() -> None:
    images_BCHW = pixels((2, 3, 8, 8))
    torch.manual_seed(1)
    following = torch.rand(3)
    torch.manual_seed(1)
    first_BCHW = noise(images_BCHW, levels(5, 0.05))
    assert torch.equal(torch.rand(3), following)
    assert torch.equal(noise(images_BCHW, levels(5, 0.05)), first_BCHW)


def test_photons_stay_what_they_were() -> None:
    # Another draw would make a new sweep incomparable with an old one. At level 51 a photon is
    # 10.2 grey levels.
    images_BCHW = torch.full((1, 1, 2, 4), 204.0)
    values_BCHW = noise(images_BCHW, levels(51), seed=7, keys_B=torch.tensor([11]))
    assert (values_BCHW / 10.2).round().flatten().tolist() == [23, 18, 23, 25, 23, 20, 23, 6]


# Options and other input


def test_clipping_rounds_and_limits_as_an_8_bit_sensor_does() -> None:
    images_BCHW = pixels((2, 3, 32, 32))
    free_BCHW = noise(images_BCHW, levels(10, 100))
    assert free_BCHW.max() > 255
    clipped_BCHW = distortion("shot_noise", clip=True)(images_BCHW, levels(10, 100))
    assert torch.equal(clipped_BCHW, free_BCHW.round().clamp(0, 255))


@pytest.mark.parametrize("options", [{"clip": 1}, {"gray": 1}], ids=str)
def test_other_options_are_refused(options: dict[str, bool]) -> None:
    with pytest.raises(DistortionError, match=r"shot_noise: .*(clip|gray)"):
        distortion("shot_noise", **options)


def test_values_that_a_noise_before_has_pushed_out_are_taken() -> None:
    # Below black there is no light; above white there is more than white has.
    images_BCHW = torch.tensor([-50.0, 400.0])[:, None, None, None].expand(2, 3, 64, 64)
    keys_B = torch.tensor([1, 2])
    for level in (0.05, 10):
        noisy_BCHW = noise.apply(images_BCHW, levels(level, level), seed=0, keys_B=keys_B)
        assert not noisy_BCHW[0].any()
        deviation = level * math.sqrt(400 / 255)
        assert abs(noisy_BCHW[1].double().mean() - 400) < 4.5 * deviation / math.sqrt(3 * 64 * 64)
