"""What holds of the damage that every distortion does, on real photographs."""

from itertools import pairwise

import pytest
import torch
from sample_levels import LEVELS, sample_levels
from sample_pixels import levels
from torch import Tensor

from mixqual.config import DataConfig
from mixqual.data import index_images
from mixqual.distortions import distortion, distortions
from mixqual.images import decode

every_distortion = pytest.mark.parametrize("name", distortions())


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    """Four solar cells in a made-up colour: float (4, 3, 96, 96)."""
    items = index_images(DataConfig(source="elpv")).items[:400:100]
    gray_B1HW = torch.stack(
        [torch.tensor(decode(item.path, 96, "bicubic", 1)).permute(2, 0, 1) for item in items]
    )
    tint_3 = torch.tensor([1.0, 0.8, 0.5])[:, None, None]
    return (gray_B1HW.float() * tint_3).round()


def test_levels_to_try_are_known_for_every_distortion_and_no_other() -> None:
    assert set(LEVELS) == set(distortions())


@every_distortion
def test_damage_grows_with_the_level(name: str, photographs: Tensor) -> None:
    kind = distortion(name)
    errors = [
        (kind(photographs, levels(*[level] * 4)) - photographs).pow(2).mean((1, 2, 3))
        for level in sample_levels(name)
    ]
    assert (errors[0] > 0).all()
    for weaker, stronger in pairwise(errors):
        assert (stronger > weaker).all()


@every_distortion
def test_an_image_fares_the_same_in_any_batch_and_order(name: str, photographs: Tensor) -> None:
    kind, (mild, middle, strong) = distortion(name), sample_levels(name)
    levels_B = levels(mild, middle, strong, middle)
    together_BCHW = kind(photographs, levels_B, seed=3)
    order = torch.tensor([2, 0, 3, 1])
    shuffled_BCHW = kind(photographs[order], levels_B[order], seed=3)
    torch.testing.assert_close(shuffled_BCHW, together_BCHW[order], rtol=0, atol=1e-3)
    for index in range(4):
        part = slice(index, index + 1)
        alone_BCHW = kind(photographs[part], levels_B[part], seed=3)
        torch.testing.assert_close(alone_BCHW, together_BCHW[part], rtol=0, atol=1e-3)


@every_distortion
def test_a_seed_matters_to_random_distortions_only(name: str, photographs: Tensor) -> None:
    kind, strong = distortion(name), sample_levels(name)[2]
    levels_B = levels(*[strong] * 4)
    first_BCHW, second_BCHW = (kind(photographs, levels_B, seed=seed) for seed in (0, 1))
    assert torch.equal(first_BCHW, kind(photographs, levels_B, seed=0))
    assert torch.equal(first_BCHW, second_BCHW) != kind.random


@every_distortion
def test_one_channel_and_three_are_both_distorted(name: str, photographs: Tensor) -> None:
    kind, strong = distortion(name), sample_levels(name)[2]
    gray_BCHW = photographs.mean(1, keepdim=True).round()
    assert kind(gray_BCHW, levels(*[strong] * 4)).shape == gray_BCHW.shape
    colour_BCHW = gray_BCHW.expand(-1, 3, -1, -1).contiguous()
    assert kind(colour_BCHW, levels(*[strong] * 4)).shape == colour_BCHW.shape
