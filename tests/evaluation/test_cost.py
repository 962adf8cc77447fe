import time

import pytest
import torch
import torchvision
from torch import Tensor, nn

from mixqual.evaluation import Cost, count, latency_ms
from mixqual.networks import Gate, Preprocessing


class PooledLinear(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.linear(images_BCHW.mean((2, 3)))
        return logits_BK


# Side 16, except where a stride halves it: outputs x (input channels of a group x window).
BY_HAND: dict[str, tuple[nn.Module, int, int]] = {
    "convolution": (nn.Conv2d(3, 8, 3, padding=1), 8 * 27 + 8, 8 * 16 * 16 * 27),
    "no bias": (nn.Conv2d(3, 8, 3, padding=1, bias=False), 8 * 27, 8 * 16 * 16 * 27),
    "stride": (nn.Conv2d(3, 4, (1, 5), stride=2, padding=(0, 2)), 64, 4 * 8 * 8 * 15),
    "no padding": (nn.Conv2d(3, 2, 5), 152, 2 * 12 * 12 * 75),
    "dilated": (nn.Conv2d(3, 2, 3, dilation=2), 56, 2 * 12 * 12 * 27),
    "groups": (
        nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 12, 3, padding=1, groups=3)),
        (18 + 6) + (12 * 2 * 9 + 12),
        6 * 256 * 3 + 12 * 256 * (2 * 9),
    ),
    "depthwise": (nn.Conv2d(3, 3, 3, padding=1, groups=3), 30, 3 * 256 * 9),
    "linear": (PooledLinear(3, 10), 40, 30),
    "linear on every pixel": (
        nn.Sequential(nn.Flatten(2), nn.Linear(256, 5)),  # of 3 rows of 256 numbers
        256 * 5 + 5,
        3 * 5 * 256,
    ),
    "norms and activations": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()),
        16 + 8,
        4 * 256 * 3,
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_costs_by_hand(case: str) -> None:
    network, params, macs = BY_HAND[case]
    assert count(network, 16) == Cost(params, macs)


def test_a_layer_used_twice_has_its_parameters_once_and_its_work_twice() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1)
    assert count(nn.Sequential(layer, nn.ReLU(), layer), 8) == Cost(84, 2 * 3 * 64 * 27)


# What the literature says; without weights ("meta"), for only shapes count.


def test_vgg16_costs_what_the_literature_says() -> None:
    with torch.device("meta"):
        vgg16 = torchvision.models.vgg16(weights=None)
    cost = count(vgg16, 224)
    assert cost.params == 138_357_544
    assert round(cost.macs / 1e9, 2) == 15.47


def test_resnet18_costs_what_the_literature_says() -> None:
    with torch.device("meta"):
        resnet18 = torchvision.models.resnet18(weights=None)
    cost = count(resnet18, 224)
    assert cost.params == 11_689_512
    assert round(cost.macs / 1e9, 3) == 1.814


def test_the_work_of_convolutions_grows_with_the_area() -> None:
    with torch.device("meta"):
        network = torchvision.models.resnet18(weights=None)
    classifier = 512 * 1000
    small, large = count(network, 64), count(network, 128)
    assert large.macs - classifier == 4 * (small.macs - classifier)
    assert small.params == large.params == 11_689_512


def test_the_papers_gate_has_98531_parameters() -> None:
    gate = Gate(3, Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear"))
    cost = count(gate, 224)
    assert cost.params == 98_531
    assert round(cost.macs / 1e9, 3) == 0.174


# Leaving no trace


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    network.train()
    network[1].eval()  # a frozen norm among trained layers
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, 8)
    assert [module.training for module in network] == [True, False, True]
    assert network.training
    assert all(not module._forward_hooks for module in network.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_counting_leaves_no_hooks_when_the_network_fails() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(5, 2)).train()
    with pytest.raises(RuntimeError, match="shapes"):
        count(network, 8)
    assert all(not module._forward_hooks for module in network.modules())
    assert network.training


# Latency


class Sleeper:
    """Takes a known time, and much longer at its first call."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.shapes: list[torch.Size] = []

    def __call__(self, images_BCHW: Tensor) -> None:
        self.shapes.append(images_BCHW.shape)
        time.sleep(self.seconds if len(self.shapes) > 1 else 0.3)


@pytest.mark.parametrize("batch", [1, 4])
def test_latency_is_the_time_of_one_image_once_warm(batch: int) -> None:
    sleeper = Sleeper(0.02)
    latency = latency_ms(sleeper, 8, torch.device("cpu"), batch)
    assert 20 / batch <= latency < 60 / batch
    assert set(sleeper.shapes) == {torch.Size((batch, 3, 8, 8))}


def test_a_slow_moment_does_not_change_the_latency() -> None:
    class Hiccup(Sleeper):
        def __call__(self, images_BCHW: Tensor) -> None:
            super().__call__(images_BCHW)
            time.sleep(0.2 if len(self.shapes) == 5 else 0)

    assert latency_ms(Hiccup(0.002), 8, torch.device("cpu")) < 50
