from collections.abc import Callable, Iterator

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mixqual.config import BackboneConfig
from mixqual.evaluation import Cost, count, count_parts
from mixqual.networks import Gate, Preprocessing, stages_of


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


# Against the counter of PyTorch, which sees every operation, by whatever name it was called


@pytest.fixture
def no_fused_attention() -> Iterator[None]:
    """Attention in one operation would hide its linear layers from PyTorch's counter."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def macs_of_pytorch(network: nn.Module, size: int) -> int:
    """Half the floating-point operations of convolutions and of products with a matrix."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, size, size))
    found = counter.get_flop_counts()["Global"]
    aten = torch.ops.aten
    return sum(found.get(each, 0) for each in (aten.convolution, aten.mm, aten.addmm)) // 2


def small_vit() -> nn.Module:
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=24, mlp_dim=40
    )


def small_swin() -> nn.Module:
    return torchvision.models.SwinTransformer(
        [4, 4], embed_dim=12, depths=[2, 2], num_heads=[2, 4], window_size=[3, 3], num_classes=7
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (lambda: torchvision.models.resnet18(), 48),
    "mobilenet_v3_small": (lambda: torchvision.models.mobilenet_v3_small(), 64),
    "vision transformer": (small_vit, 32),
    "swin transformer": (small_swin, 32),
    "vit_tiny": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=48), 48),
    "convnext_atto": (lambda: timm.create_model("convnext_atto"), 64),
    "tf_efficientnet_lite0": (lambda: timm.create_model("tf_efficientnet_lite0"), 75),
    "gate": (lambda: Gate(3, Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear")), 50),
}


@pytest.mark.usefixtures("no_fused_attention")
@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_counts_the_same(name: str) -> None:
    build, size = NETWORKS[name]
    network = build()
    assert count(network, size).macs == macs_of_pytorch(network, size) > 100_000


@pytest.mark.parametrize("fused", [False, True])
def test_fused_attention_changes_no_count(fused: bool) -> None:
    """Four matrices of 24 x 24 for each of 17 tokens, beside what else there is."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fused)
    try:
        network = small_vit()
        patches, mlp, head = 16 * 24 * 3 * 64, 2 * 17 * 24 * 40, 24 * 1000
        assert count(network, 32).macs == patches + 2 * (4 * 17 * 24 * 24 + mlp) + head
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class Asking(nn.Module):
    """Does more work for bright images, and none are brighter than zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.often, self.seldom = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BCHW = self.often(images_BCHW)
        return self.seldom(features_BCHW) if images_BCHW.mean() > 0 else features_BCHW


def test_a_network_that_asks_for_values_is_counted_by_running_it() -> None:
    assert count(Asking(), 8) == Cost(3 * 4 + 4 + 4 * 4 + 4, 64 * 12)


# Parts


@pytest.mark.parametrize(
    ("name", "size"), [("timm/test_efficientnet", 45), ("timm/test_vit", 160), ("resnet18", 64)]
)
def test_the_parts_of_a_network_cost_what_it_costs(name: str, size: int) -> None:
    with torch.device("meta"):
        parts: list[nn.Module] = [*stages_of(BackboneConfig(name=name, weights="random")).split()]
    each = count_parts(parts, size)
    whole = count(nn.Sequential(*parts), size)
    assert sum(cost.params for cost in each) == whole.params
    assert sum(cost.macs for cost in each) == whole.macs
    assert all(cost.params > 0 and cost.macs > 0 for cost in each)


def test_each_part_has_its_own_cost() -> None:
    first, last = (
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 1)),
    )
    assert count_parts([first, last], 8) == [Cost(112, 16 * 4 * 27), Cost(10, 16 * 2 * 4)]


def test_a_part_without_parameters_costs_nothing() -> None:
    network = nn.Conv2d(3, 4, 1)
    assert count_parts([nn.ReLU(), network], 8) == [Cost(0, 0), count(network, 8)]


# Leaving no trace


@pytest.mark.parametrize("parts", [1, 3])
def test_counting_leaves_the_network_as_it_was(parts: int) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    network.train()
    network[1].eval()  # a frozen norm among trained layers
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_parts([network] if parts == 1 else [*network], 8)
    assert [module.training for module in network] == [True, False, True]
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert type(tensor) is type(before[name])


def test_counting_leaves_the_modes_when_the_network_fails() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(5, 2)).train()
    with pytest.raises(RuntimeError, match="shapes"):
        count(network, 8)
    assert network.training


def test_a_network_that_remembers_works_after_it_was_counted() -> None:
    """EfficientViT keeps its attention biases from one call to the next, except in training."""
    torch.manual_seed(0)
    network = timm.create_model("efficientvit_m0", num_classes=4).eval()
    fresh = timm.create_model("efficientvit_m0", num_classes=4).eval()
    fresh.load_state_dict(network.state_dict())
    count(network, 224)
    images_BCHW = torch.full((1, 3, 224, 224), 0.5)
    with torch.inference_mode():
        logits_BK = network(images_BCHW)
        assert type(logits_BK) is Tensor
        assert torch.equal(logits_BK, fresh(images_BCHW))


# Latency
