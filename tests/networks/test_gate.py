import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, max_pool2d

from mixqual.config import BackboneConfig
from mixqual.errors import DataError, StudyError
from mixqual.evaluation import count
from mixqual.networks import Gate, Preprocessing, SoleGate, build_classifier

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


@pytest.mark.parametrize("kind", ["paper", "patch"])
@pytest.mark.parametrize(("height", "width"), [(15, 64), (64, 8)])
def test_too_small_images_are_refused(kind: str, height: int, width: int) -> None:
    with pytest.raises(DataError, match=f"images of {width}x{height} pixels .* at least 16x16"):
        Gate(3, PREPROCESSING, kind=kind)(torch.zeros(1, 3, height, width))


def test_an_unknown_kind_lists_all() -> None:
    with pytest.raises(StudyError, match="there is no gate 'tiny'; there are paper, patch"):
        Gate(3, PREPROCESSING, kind="tiny")


class TestPatch:
    """The light gate, which looks at the central 32x32 pixels."""

    @staticmethod
    def gate(experts: int = 3, seed: int = 0) -> Gate:
        return Gate(experts, PREPROCESSING, seed, kind="patch").eval()

    def test_has_24675_parameters(self) -> None:
        """By hand: weights and biases of 3x3 convolutions to 16, 32 and 64, then 1x1 to 16 and 3.

        16 * 28 + 32 * 145 + 64 * 289 + 16 * 65 + 3 * 17.
        """
        assert sum(parameter.numel() for parameter in self.gate().parameters()) == 24_675
        four = sum(parameter.numel() for parameter in self.gate(4).parameters())
        assert four == 24_675 + 17

    def test_costs_two_percent_of_the_backbone_at_128_pixels(self) -> None:
        lite0 = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="random")
        backbone = count(build_classifier(lite0, 4, 0), 128).macs
        gate, paper = count(self.gate(), 128).macs, count(Gate(3, PREPROCESSING), 128).macs
        assert 0.015 < gate / backbone < 0.025
        assert gate < paper / 15
        assert count(self.gate(), 224).macs == gate

    @settings(max_examples=8, deadline=None)
    @given(
        height=st.integers(16, 70),
        width=st.integers(16, 70),
        batch=st.integers(1, 3),
        experts=st.integers(2, 5),
    )
    def test_rows_are_weights_for_any_size(
        self, height: int, width: int, batch: int, experts: int
    ) -> None:
        generator = torch.Generator().manual_seed(height * width)
        images_BCHW = torch.rand((batch, 3, height, width), generator=generator) * 255
        with torch.inference_mode():
            weights_BE = self.gate(experts)(images_BCHW)
        assert weights_BE.shape == (batch, experts)
        assert bool((weights_BE >= 0).all())
        torch.testing.assert_close(weights_BE.sum(1), torch.ones(batch))

    @pytest.mark.parametrize(("height", "width"), [(33, 48), (64, 40), (128, 128), (97, 20)])
    def test_sees_the_centre_and_nothing_else(self, height: int, width: int) -> None:
        generator = torch.Generator().manual_seed(0)
        images_BCHW = torch.rand((2, 3, height, width), generator=generator) * 255
        gate = self.gate(seed=4)
        top, left = (height - 32) // 2, max(0, (width - 32) // 2)
        centre = (..., slice(top, top + 32), slice(left, left + 32))
        elsewhere_BCHW = 255 - images_BCHW
        elsewhere_BCHW[centre] = images_BCHW[centre]
        with torch.inference_mode():
            weights_BE = gate(images_BCHW)
            torch.testing.assert_close(gate(elsewhere_BCHW), weights_BE, atol=0, rtol=0)
            torch.testing.assert_close(gate(images_BCHW[centre]), weights_BE)
            # Each corner of the patch counts.
            for corner in ((top, left), (top + 31, min(left + 31, width - 1))):
                changed_BCHW = images_BCHW.clone()
                changed_BCHW[:, :, *corner] = 255 - changed_BCHW[:, :, *corner]
                assert not torch.equal(gate(changed_BCHW), weights_BE)

    def test_equals_its_layers_computed_one_by_one(self) -> None:
        gate = self.gate(seed=3)
        parameters = list(gate.parameters())
        images_BCHW = torch.rand((2, 3, 40, 46), generator=torch.Generator().manual_seed(0)) * 255
        maps = (images_BCHW[:, :, 4:36, 7:39] - 127) / 128
        for number, filters in enumerate((16, 32, 64, 16, 3)):
            weight, bias = parameters[2 * number : 2 * number + 2]
            assert len(weight) == filters
            maps = conv2d(maps, weight, bias, padding=1 if number < 3 else 0)
            maps = maps.relu() if number < 4 else maps
            maps = max_pool2d(maps, 2, 2) if number < 2 else maps
        torch.testing.assert_close(gate(images_BCHW), maps.mean((2, 3)).softmax(1))

    def test_learns_noise_from_blur(self) -> None:
        """What it is for: after some steps it tells noisy patches from smooth ones."""
        generator = torch.Generator().manual_seed(0)
        gate = Gate(2, PREPROCESSING, seed=1, kind="patch")
        optimizer = torch.optim.SGD(gate.parameters(), lr=0.01, momentum=0.9)

        def batch() -> tuple[torch.Tensor, torch.Tensor]:
            rough_B = torch.arange(16) % 2
            shades_BCHW = 60 + 120 * torch.rand((16, 3, 1, 1), generator=generator)
            noise_BCHW = 25 * torch.randn((16, 3, 40, 40), generator=generator)
            return shades_BCHW + noise_BCHW * rough_B[:, None, None, None], rough_B

        for _ in range(40):
            images_BCHW, rough_B = batch()
            targets_BE = torch.nn.functional.one_hot(rough_B, 2)
            optimizer.zero_grad()
            ((gate(images_BCHW) - targets_BE) ** 2).sum(1).mean().backward()
            optimizer.step()
        images_BCHW, rough_B = batch()
        assert torch.equal(gate(images_BCHW).argmax(1), rough_B)


def test_before_one_network_there_is_nothing_to_choose() -> None:
    """As of a gate whose softmax is over one expert."""
    images_BCHW = 255 * torch.rand((3, 3, 20, 24), generator=torch.Generator().manual_seed(0))
    assert not list(SoleGate().state_dict())
    torch.testing.assert_close(
        SoleGate()(images_BCHW), Gate(1, PREPROCESSING)(images_BCHW).detach()
    )
