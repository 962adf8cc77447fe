import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_pixels import DTYPES, FORMATS, levels, pixels
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

noise = distortion("impulse_noise")


def mid_gray(batch: int = 1, side: int = 100) -> Tensor:
    """Images in which black and white stand for damage alone."""
    return torch.full((batch, 3, side, side), 100.0)


# Bounds are 4.5 standard errors of a share.


@pytest.mark.parametrize("salt", [0, 0.2, 0.5, 1])
@pytest.mark.parametrize("level", [0.002, 0.1, 0.7])
def test_the_level_is_the_share_of_values_and_salt_that_of_white(level: float, salt: float) -> None:
    noisy_BCHW = distortion("impulse_noise", salt=salt)(mid_gray(), levels(level))
    count = noisy_BCHW.numel()
    for value, share in ((255, salt * level), (0, (1 - salt) * level), (100, 1 - level)):
        found = (noisy_BCHW == value).double().mean().item()
        assert abs(found - share) <= 4.5 * math.sqrt(share * (1 - share) / count) + 1e-12
    assert set(noisy_BCHW.unique().tolist()) <= {0, 100, 255}


@pytest.mark.parametrize("salt", [0, 0.1, 0.3, 0.7, 1])
def test_at_level_one_nothing_is_left(salt: float) -> None:
    noisy_BCHW = distortion("impulse_noise", salt=salt)(mid_gray(), levels(1))
    assert not (noisy_BCHW == 100).any()


@settings(deadline=None, max_examples=25)
@given(
    low=st.floats(1e-6, 1),
    high=st.floats(1e-6, 1),
    salt=st.floats(0, 1),
    gray=st.booleans(),
)
def test_what_is_lost_at_a_level_is_lost_alike_at_any_higher_one(
    low: float, high: float, salt: float, gray: bool
) -> None:
    low, high = sorted((low, high))
    kind = distortion("impulse_noise", salt=salt, gray=gray)
    less_BCHW, more_BCHW = kind(mid_gray(2, 30), levels(low, high), keys_B=torch.tensor([3, 3]))
    damaged_BCHW = less_BCHW != 100
    assert torch.equal(more_BCHW[damaged_BCHW], less_BCHW[damaged_BCHW])


def test_channels_and_neighbours_are_damaged_independently() -> None:
    level = 0.3
    damaged_CHW = (noise(mid_gray(), levels(level))[0] != 100).double().numpy() - level
    bound = 4.5 * level * (1 - level) / 100
    for other_CHW in (np.roll(damaged_CHW, 1, 0), np.roll(damaged_CHW, 1, 2)):
        assert (np.abs((damaged_CHW * other_CHW).mean((1, 2))) < bound).all()


def test_other_values_stay_as_they_are_bit_by_bit() -> None:
    images_BCHW = pixels((2, 3, 20, 20), torch.float64) * 0.987654321 + 1
    noisy_BCHW = noise(images_BCHW, levels(0.2, 0.5))
    kept_BCHW = (noisy_BCHW != 0) & (noisy_BCHW != 255)
    assert kept_BCHW.any()
    assert torch.equal(noisy_BCHW[kept_BCHW], images_BCHW[kept_BCHW])


# The same pixels for all


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_damage_does_not_depend_on_type_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    levels_B = levels(0.1, 0.5, 1)
    expected_BCHW = noise(pixels((3, 3, 12, 10)), levels_B)
    noisy_BCHW = noise(pixels((3, 3, 12, 10), dtype, memory_format), levels_B)
    assert torch.equal(noisy_BCHW, expected_BCHW.to(dtype))


def test_damage_does_not_depend_on_the_batch() -> None:
    images_BCHW = pixels((5, 3, 9, 7))
    levels_B = levels(0.3, 0, 0.01, 1, 0.6)
    whole_BCHW = noise(images_BCHW, levels_B, seed=4)
    for chosen in ([4, 2, 0], [3], [1, 3]):
        part_BCHW = noise(images_BCHW[chosen], levels_B[chosen], seed=4)
        assert torch.equal(part_BCHW, whole_BCHW[chosen])


def test_damage_stays_what_it_was() -> None:
    images_BCHW = torch.full((1, 1, 2, 8), 100.0)
    values_BCHW = noise(images_BCHW, levels(0.5), seed=7, keys_B=torch.tensor([11]))
    assert values_BCHW[0, 0, 0].tolist() == [255, 0, 255, 0, 100, 100, 255, 0]
    assert values_BCHW[0, 0, 1].tolist() == [0, 100, 255, 100, 0, 100, 100, 255]


# Options and other input


def test_gray_damage_takes_whole_pixels() -> None:
    noisy_BCHW = distortion("impulse_noise", gray=True)(mid_gray(), levels(0.3))
    for channel in (1, 2):
        assert torch.equal(noisy_BCHW[:, channel], noisy_BCHW[:, 0])
    share = (noisy_BCHW[:, 0] != 100).double().mean().item()
    assert abs(share - 0.3) < 4.5 * math.sqrt(0.3 * 0.7 / 100**2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"salt": 1.5}, r"salt is a number in 0\.\.\.1, not 1\.5"),
        ({"salt": True}, "salt is a number"),
        ({"gray": "yes"}, "gray is true or false"),
        ({"clip": True}, "clip"),
    ],
    ids=str,
)
def test_other_options_are_refused(options: dict[str, bool | float | str], message: str) -> None:
    with pytest.raises(DistortionError, match=f"impulse_noise: .*{message}"):
        distortion("impulse_noise", **options)


def test_values_that_a_noise_before_has_pushed_out_are_handed_on() -> None:
    images_BCHW = torch.tensor([-50.0, 400.0])[:, None, None, None].expand(2, 3, 20, 20)
    noisy_BCHW = noise.apply(images_BCHW, levels(0.5, 0.5), seed=0, keys_B=torch.tensor([1, 2]))
    assert set(noisy_BCHW.unique().tolist()) == {-50, 0, 255, 400}
