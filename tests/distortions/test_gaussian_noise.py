from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_pixels import DTYPES, FORMATS, levels, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions import distortion, image_keys
from mixqual.errors import DistortionError

noise = distortion("gaussian_noise")


def field(images_BCHW: Tensor, level: float = 1.0, **more: object) -> Tensor:
    """The noise alone, in deviations."""
    exact_BCHW = images_BCHW.double()
    levels_B = torch.full((len(images_BCHW),), level)
    return (noise(exact_BCHW, levels_B, **more) - exact_BCHW) / level  # type: ignore[arg-type]


# Statistics. Bounds are four standard errors of the statistic of independent normal numbers.


@pytest.fixture(scope="module")
def fields_BCHW() -> Tensor:
    return field(pixels((4, 3, 128, 128)), 30.0)


def test_noise_is_standard_normal(fields_BCHW: Tensor) -> None:
    for values in fields_BCHW.flatten(0, 1).flatten(1).numpy():
        count = len(values)
        assert abs(values.mean()) < 4 / np.sqrt(count)
        assert abs(values.std() - 1) < 4 / np.sqrt(2 * count)
        assert abs(stats.skew(values)) < 4 * np.sqrt(6 / count)
        assert abs(stats.kurtosis(values)) < 4 * np.sqrt(24 / count)
        assert stats.kstest(values, "norm").pvalue > 1e-4


def test_noise_is_independent_between_channels_images_and_pixels(fields_BCHW: Tensor) -> None:
    planes_P = fields_BCHW.flatten(0, 1)
    bound = 4 / np.sqrt(planes_P[0].numel())
    for one_HW, other_HW in combinations(planes_P, 2):
        assert abs((one_HW * other_HW).mean()) < bound
    for down, right in ((0, 1), (1, 0), (1, 1), (0, 2)):
        shifted_PHW = planes_P.roll((down, right), (1, 2))
        assert ((planes_P * shifted_PHW).mean((1, 2)).abs() < bound).all()


def test_every_level_scales_the_same_field() -> None:
    images_BCHW = pixels((2, 3, 20, 20))
    unit_BCHW = field(images_BCHW, 1.0)
    for level in (0.01, 10.0, 37.5, 100.0, 1000.0):
        torch.testing.assert_close(field(images_BCHW, level), unit_BCHW, rtol=1e-6, atol=1e-9)


def test_each_image_gets_its_own_level() -> None:
    images_BCHW = pixels((3, 3, 64, 64), torch.float64)
    differences_BCHW = noise(images_BCHW, levels(1, 20, 90)) - images_BCHW
    deviations_B = differences_BCHW.flatten(1).std(1)
    torch.testing.assert_close(deviations_B, levels(1, 20, 90), rtol=0.03, atol=0)


# The same pixels for all


@settings(deadline=None, max_examples=30)
@given(
    order=st.permutations(range(6)),
    cuts=st.sets(st.integers(1, 5)),
    memory_format=st.sampled_from(FORMATS),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_noise_does_not_depend_on_the_batch(
    order: list[int],
    cuts: set[int],
    memory_format: torch.memory_format,
    channels: int,
    seed: int,
) -> None:
    images_BCHW = pixels((6, channels, 7, 5))
    levels_B = levels(0, 3, 10, 0, 50, 100)
    expected_BCHW = noise(images_BCHW, levels_B, seed=seed)
    edges = [0, *sorted(cuts), 6]
    for start, stop in pairwise(edges):
        chosen = order[start:stop]
        part_BCHW = images_BCHW[chosen].contiguous(memory_format=memory_format)
        noisy_BCHW = noise(part_BCHW, levels_B[chosen], seed=seed)
        assert torch.equal(noisy_BCHW, expected_BCHW[chosen])


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_noise_does_not_depend_on_type_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    expected_BCHW = noise(pixels((3, 3, 12, 10)), levels(2, 20, 90))
    if dtype == torch.uint8:
        expected_BCHW = expected_BCHW.round().clamp(0, 255)
    images_BCHW = pixels((3, 3, 12, 10), dtype, memory_format)
    noisy_BCHW = noise(images_BCHW, levels(2, 20, 90))
    # float64 holds digits of the sum that float32 does not; the noise itself is the same.
    tolerance = 1e-4 if dtype == torch.float64 else 0.0
    torch.testing.assert_close(
        noisy_BCHW, expected_BCHW.to(dtype), rtol=0, atol=tolerance, check_stride=False
    )


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_noise_does_not_depend_on_the_number_of_threads() -> None:
    images_BCHW = pixels((2, 3, 300, 300))  # more than PyTorch's grain of 32,768 numbers
    torch.set_num_threads(1)
    alone_BCHW = noise(images_BCHW, levels(10, 50), seed=3)
    torch.set_num_threads(3)
    assert torch.equal(noise(images_BCHW, levels(10, 50), seed=3), alone_BCHW)


def test_noise_does_not_depend_on_nor_disturb_the_global_generator() -> None:
    images_BCHW = pixels((2, 3, 8, 8))
    torch.manual_seed(1)
    following = torch.rand(3)
    torch.manual_seed(1)
    first_BCHW = noise(images_BCHW, levels(5, 5))
    assert torch.equal(torch.rand(3), following)
    assert torch.equal(noise(images_BCHW, levels(5, 5)), first_BCHW)


def test_noise_stays_what_it_was() -> None:
    # Another field would make a new sweep incomparable with an old one. Machines differ in the
    # last digits of a logarithm at most.
    images_BCHW = torch.full((1, 1, 4, 4), 128.0)
    row = field(images_BCHW, 1.0, seed=7, keys_B=torch.tensor([11]))[0, 0, 0]
    assert row.tolist() == pytest.approx([0.67506, -0.93240, 0.07042, -0.56878], abs=1e-4)


# Seeds and keys


def test_seeds_give_independent_noise() -> None:
    images_BCHW = pixels((1, 3, 64, 64))
    fields = [field(images_BCHW, seed=seed) for seed in (0, 1, 2, -1, 2**62)]
    bound = 4 / np.sqrt(fields[0].numel())
    for one_BCHW, other_BCHW in combinations(fields, 2):
        assert abs((one_BCHW * other_BCHW).mean()) < bound


def test_an_image_alike_to_the_pixel_gets_the_same_noise() -> None:
    images_BCHW = pixels((2, 3, 8, 8))
    fields_BCHW = field(torch.cat([images_BCHW, images_BCHW]))
    assert torch.equal(fields_BCHW[:2], fields_BCHW[2:])
    assert not torch.equal(fields_BCHW[0], fields_BCHW[1])


def test_keys_replace_those_of_the_pixels() -> None:
    images_BCHW = pixels((3, 3, 16, 16), torch.float64)
    keyed_BCHW = field(images_BCHW, keys_B=torch.tensor([5, 6, 5]))
    torch.testing.assert_close(keyed_BCHW[0], keyed_BCHW[2], rtol=0, atol=1e-12)
    assert (keyed_BCHW[0] - keyed_BCHW[1]).abs().max() > 1
    own_BCHW = field(images_BCHW, keys_B=image_keys(images_BCHW))
    assert torch.equal(own_BCHW, field(images_BCHW))


def test_keys_follow_their_images_in_a_mixed_batch() -> None:
    images_BCHW = pixels((3, 3, 8, 8))
    keys_B = torch.tensor([-(2**63), 0, 2**63 - 1])
    mixed_BCHW = noise(images_BCHW, levels(0, 0, 9), keys_B=keys_B)
    alone_BCHW = noise(images_BCHW[2:], levels(9), keys_B=keys_B[2:])
    assert torch.equal(mixed_BCHW[2:], alone_BCHW)


# Options


def test_gray_noise_is_one_field_for_all_channels() -> None:
    images_BCHW = pixels((2, 3, 64, 64), torch.float64)
    differences_BCHW = (
        distortion("gaussian_noise", gray=True)(images_BCHW, levels(50, 50)) - images_BCHW
    )
    for channel in (1, 2):
        torch.testing.assert_close(
            differences_BCHW[:, channel], differences_BCHW[:, 0], rtol=0, atol=1e-10
        )
    assert stats.kstest(differences_BCHW[:, 0].flatten().numpy() / 50, "norm").pvalue > 1e-4
    one_channel_BCHW = images_BCHW[:, :1]
    keys_B = torch.tensor([3, 4])
    assert torch.equal(
        distortion("gaussian_noise", gray=True)(one_channel_BCHW, levels(9, 9), keys_B=keys_B),
        noise(one_channel_BCHW, levels(9, 9), keys_B=keys_B),
    )


def test_clipping_rounds_and_limits_as_an_8_bit_sensor_does() -> None:
    images_BCHW = pixels((2, 3, 32, 32))
    free_BCHW = noise(images_BCHW, levels(10, 100))
    assert free_BCHW.min() < 0
    assert free_BCHW.max() > 255
    clipped_BCHW = distortion("gaussian_noise", clip=True)(images_BCHW, levels(10, 100))
    assert torch.equal(clipped_BCHW, free_BCHW.round().clamp(0, 255))


def test_clipping_does_not_touch_clean_images() -> None:
    images_BCHW = pixels((2, 3, 8, 8)) * 0.5  # halves, which rounding would change
    clipped_BCHW = distortion("gaussian_noise", clip=True)(images_BCHW, levels(0, 5))
    assert torch.equal(clipped_BCHW[0], images_BCHW[0])


@pytest.mark.parametrize("options", [{"clip": 1}, {"gray": "yes"}, {"clip": None}], ids=str)
def test_options_are_true_or_false(options: dict[str, bool]) -> None:
    with pytest.raises(DistortionError, match="gaussian_noise: clip and gray are true or false"):
        distortion("gaussian_noise", **options)
