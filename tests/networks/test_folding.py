import copy

import pytest
import torch
from hand_made import Deciding, Skipping, classifier, photographs
from timm.layers import StdConv2d
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.networks import build_classifier, fold_batch_norms

NETWORKS = ["timm/test_efficientnet", "timm/test_resnet", "timm/tf_efficientnet_lite0"]


def with_statistics(network: nn.Module) -> nn.Module:
    """Batch norms that do something: at its start a network's own leave values as they are."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.5, 0.5),
            ):
                assert values is not None
                values.copy_(low + (high - low) * torch.rand(values.shape, generator=generator))
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_networks_answer_the_same_without_a_norm(name: str) -> None:
    config = BackboneConfig(name=name, weights="random")
    network = with_statistics(build_classifier(config, 4, 0))
    before = copy.deepcopy(network.state_dict())
    folded = fold_batch_norms(network)
    with torch.inference_mode():
        expected_BK = network(photographs(3, 64)).softmax(1)
        torch.testing.assert_close(
            folded(photographs(3, 64)).softmax(1), expected_BK, rtol=0, atol=1e-5
        )
    assert norms(network) > 0 == norms(folded)
    after = network.state_dict()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


class Pair(nn.Module):
    """A convolution and a norm, between which something else may look."""

    def __init__(self, convolution: nn.Module, norm: nn.Module, seen: bool = False) -> None:
        super().__init__()
        self.convolution, self.norm, self.seen = convolution, norm, seen

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        y: Tensor = self.norm(x)
        return (y + x if self.seen else y).mean((2, 3))


class Twice(nn.Module):
    """One convolution before two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.two(self.convolution(self.one(self.convolution(x))))
        return y.mean((2, 3))


@pytest.mark.parametrize(
    "backbone",
    [
        Pair(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), seen=True),
        Pair(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        Pair(StdConv2d(3, 4, 3), nn.BatchNorm2d(4)),  # its weights are normalised anew
        Pair(nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d(4)),
        Twice(),
        Deciding(),
    ],
    ids=[
        "seen between",
        "statistics of the batch",
        "own weights",
        "other kind",
        "twice",
        "deciding",
    ],
)
def test_what_cannot_be_folded_stays_as_it_is(backbone: nn.Module) -> None:
    network = classifier(backbone)
    assert fold_batch_norms(network) is network


def test_a_skip_is_no_hindrance() -> None:
    network = with_statistics(classifier(Skipping()))
    folded = fold_batch_norms(network)
    assert norms(folded) == 0
    with torch.inference_mode():
        torch.testing.assert_close(folded(photographs()), network(photographs()))
