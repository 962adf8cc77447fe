import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, max_pool2d

from mixqual.networks import Gate, Preprocessing

PREPROCESSING = Preprocessing((127 / 255,) * 3, (128 / 255,) * 3, "bicubic")


def test_has_the_98531_parameters_of_table_1() -> None:
    assert sum(parameter.numel() for parameter in Gate(3, PREPROCESSING).parameters()) == 98_531


@pytest.mark.parametrize("experts", [2, 4, 5])
def test_each_expert_more_adds_one_filter_of_the_last_layer(experts: int) -> None:
    count = sum(parameter.numel() for parameter in Gate(experts, PREPROCESSING).parameters())
    assert count == 98_531 + (experts - 3) * (16 + 1)


@settings(max_examples=8, deadline=None)
@given(
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    batch=st.integers(1, 3),
    experts=st.integers(2, 5),
)
def test_rows_are_weights_for_any_size(height: int, width: int, batch: int, experts: int) -> None:
    generator = torch.Generator().manual_seed(height * width)
    images_BCHW = torch.rand((batch, 3, height, width), generator=generator) * 255
    with torch.inference_mode():
        weights_BE = Gate(experts, PREPROCESSING)(images_BCHW)
    assert weights_BE.shape == (batch, experts)
    assert bool((weights_BE >= 0).all())
    torch.testing.assert_close(weights_BE.sum(1), torch.ones(batch))


def test_equals_table_1_computed_layer_by_layer() -> None:
    gate = Gate(3, PREPROCESSING, seed=3).eval()
    parameters = list(gate.parameters())
    images_BCHW = torch.rand((2, 3, 40, 33), generator=torch.Generator().manual_seed(0)) * 255
    maps = (images_BCHW - 127) / 128
    # Conv-1 to Conv-4 are 3x3 with pooling, Conv-5 is 3x3 without, Conv-6 and Conv-7 are 1x1.
    for number, filters in enumerate((16, 32, 64, 64, 64, 16, 3)):
        weight, bias = parameters[2 * number : 2 * number + 2]
        assert len(weight) == filters
        maps = conv2d(maps, weight, bias, padding=1 if number < 5 else 0)
        maps = maps.relu() if number < 6 else maps
        maps = max_pool2d(maps, 2, 2) if number < 4 else maps
    expected_BE = maps.mean((2, 3)).softmax(1)
    torch.testing.assert_close(gate(images_BCHW), expected_BE)


def test_starts_from_its_seed() -> None:
    first, again, other = (Gate(3, PREPROCESSING, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_starts_undecided_yet_with_a_signal_to_learn_from() -> None:
    """The initialisation keeps variance through seven layers: weights differ between images."""
    generator = torch.Generator().manual_seed(0)
    images_BCHW = torch.rand((8, 3, 64, 64), generator=generator) * 255
    images_BCHW *= torch.linspace(0.1, 1, 8)[:, None, None, None]
    with torch.inference_mode():
        weights_BE = Gate(3, PREPROCESSING, seed=0)(images_BCHW)
    assert weights_BE.std(0).max() > 1e-3
    assert 0.01 < weights_BE.mean(0).min() < 0.99
