import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import combinations
from typing import Any

import pytest
import timm
import torch
import torchvision
from hand_made import PREPROCESSING, Skipping, classifier, photographs
from small_elpv import cell_set
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mixqual.config import BackboneConfig
from mixqual.evaluation import count
from mixqual.networks import (
    BranchedClassifier,
    Classifier,
    Gate,
    Mixture,
    Parts,
    Sharing,
    Stages,
    backbone_preprocessing,
    build_classifier,
)

TINY = BackboneConfig(name="timm/test_efficientnet", weights="random")


# Nothing shared


def test_equals_the_weighted_sum_computed_by_hand() -> None:
    experts = [build_classifier(TINY, 4, seed).eval() for seed in range(3)]
    gate = Gate(3, backbone_preprocessing(TINY), seed=5).eval()
    images_BCHW, _ = cell_set(2).batch(range(6))
    with torch.inference_mode():
        p_BK, w_BE = Mixture.independent(experts, gate).eval()(images_BCHW)
        expected_BE = gate(images_BCHW)
        expected_BK = torch.zeros(6, 4)
        for index, expert in enumerate(experts):
            logits_BK = expert(images_BCHW)
            own_BK = logits_BK.exp() / logits_BK.exp().sum(1, keepdim=True)
            expected_BK += expected_BE[:, index : index + 1] * own_BK
    torch.testing.assert_close(w_BE, expected_BE)
    torch.testing.assert_close(p_BK, expected_BK)
    torch.testing.assert_close(p_BK.sum(1), torch.ones(6))


def test_costs_its_experts_and_its_gate() -> None:
    experts = [build_classifier(TINY, 4, seed) for seed in range(3)]
    gate = Gate(3, backbone_preprocessing(TINY))
    one, gating = count(experts[0], 32), count(gate, 32)
    whole = count(Mixture.independent(experts, gate), 32)
    assert whole.params == 3 * one.params + 98_531
    assert gating.params == 98_531
    assert whole.macs == 3 * one.macs + gating.macs


# Against whole networks, in which hooks take features out and put others in


def run(
    network: Classifier, images_BCHW: Tensor, put: dict[str, Tensor], take: str | None = None
) -> Tensor:
    """Run a whole network with other inputs to some of its modules.

    Returns what the module `take` gets, otherwise logits.
    """
    taken: list[Tensor] = []
    with ExitStack() as hooks:
        for path, features in put.items():
            module = network.backbone.get_submodule(path)
            hook = partial(lambda other, _module, _inputs: (other.clone(),), features)
            hooks.enter_context(module.register_forward_pre_hook(hook))
        if take is not None:
            module = network.backbone.get_submodule(take)
            hooks.enter_context(
                module.register_forward_pre_hook(
                    lambda _module, inputs: taken.append(inputs[0].clone())
                )
            )
        logits_BK: Tensor = network(images_BCHW)
    return taken[0] if taken else logits_BK


def mixed_by_hand(
    clean: Classifier,
    experts: Sequence[Classifier],
    sharing: Sharing,
    images_BCHW: Tensor,
    weights_BE: Tensor,
) -> Tensor:
    """The probabilities of a mixture of whole networks."""
    put: dict[str, Tensor] = {}
    if sharing.until:
        put[sharing.until] = run(clean, images_BCHW, {}, take=sharing.until)
    outputs = [run(expert, images_BCHW, put, take=sharing.from_) for expert in experts]
    if not sharing.from_:
        outputs = [logits_BK.softmax(1) for logits_BK in outputs]
    mixed = torch.zeros_like(outputs[0])
    for image in range(len(images_BCHW)):
        for index, output in enumerate(outputs):
            mixed[image] += weights_BE[image, index] * output[image]
    if not sharing.from_:
        return mixed
    return run(clean, images_BCHW, {sharing.from_: mixed}).softmax(1)


class GivenWeights(nn.Module):
    """A gate that does not look."""

    def __init__(self, weights_BE: Tensor) -> None:
        super().__init__()
        self.weights_BE = weights_BE

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.weights_BE.to(images_BCHW)


class NoRandomStart(TorchFunctionMode):
    """Leaves out the random start of layers, which for large networks takes seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_, Tensor.erfinv_):
            return args[0]
        return func(*args, **(kwargs or {}))


def fill(network: Classifier, seed: int, images_BCHW: Tensor) -> None:
    """Random weights, norms that have seen the images, and logits of a moderate size."""
    generator = torch.Generator().manual_seed(seed)
    # A prime number of draws, repeated: no two rows of a matrix are alike.
    draws = torch.randn(65_537, generator=generator)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            start = int(torch.randint(len(draws), (), generator=generator))
            times = -(-parameter.numel() // len(draws))
            drawn = draws.roll(start).repeat(times)[: parameter.numel()].view_as(parameter)
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            if inputs > 1:
                parameter.copy_(drawn).mul_((2 / inputs) ** 0.5)
            else:
                parameter.copy_(drawn).mul_(0.1).add_(0.0 if name.endswith("bias") else 1.0)
        norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.train().momentum = 1.0
        if norms:
            network(images_BCHW)
        deviation = network.eval()(images_BCHW[:2]).std()
        for parameter in network.new_parameters():
            parameter.div_(deviation)


def random_network(name: str, size: int) -> Classifier:
    settings: dict[str, Any] = {"num_classes": 5}
    with NoRandomStart():
        if not name.startswith("timm/"):
            if name.startswith("vit"):
                settings["image_size"] = size
            backbone = torchvision.models.get_model(name, **settings)
        else:
            if name.startswith("timm/vit"):
                settings["img_size"] = size
            backbone = timm.create_model(name.removeprefix("timm/"), **settings)
    return classifier(backbone)


# Side of the images, and two modules in the middle of the network at which stages begin.
BACKBONES = {
    "vgg11": (32, "features.6", "classifier"),
    "vgg16": (32, "features.17", "classifier"),
    "vgg19": (32, "features.19", "classifier.3"),
    "vgg16_bn": (32, "features.24", "classifier"),
    "alexnet": (64, "features.6", "classifier"),
    "resnet18": (32, "layer2", "layer3.1"),
    "resnet50": (32, "layer2", "layer3"),
    "mobilenet_v3_small": (32, "features.4", "features.9"),
    "mobilenet_v3_large": (32, "features.7", "features.13"),
    "efficientnet_b0": (32, "features.4", "features.6.1"),
    "convnext_tiny": (32, "features.3", "features.6"),
    "vit_b_16": (32, "encoder.layers.encoder_layer_4", "encoder.layers.encoder_layer_8"),
    "swin_t": (32, "features.2", "features.5.2"),
    "timm/tf_efficientnet_lite0": (32, "blocks.3", "blocks.5"),
    "timm/tf_efficientnet_lite1": (32, "blocks.2", "blocks.5.1"),
    "timm/tf_efficientnet_lite2": (32, "blocks.3", "blocks.5"),
    "timm/tf_efficientnet_lite3": (32, "blocks.3.2", "blocks.6"),
    "timm/tf_efficientnet_lite4": (32, "blocks.3", "blocks.5"),
    "timm/resnet18": (32, "layer2", "layer3"),
    "timm/resnet50": (32, "layer2.2", "layer4"),
    "timm/convnext_tiny": (32, "stages.1", "stages.3"),
    "timm/vit_tiny_patch16_224": (32, "blocks.4", "blocks.8"),
    "timm/vit_base_patch16_224": (32, "blocks.4", "blocks.8"),
    "timm/mobilenetv3_small_100": (32, "blocks.2", "blocks.4"),
    "timm/regnety_008": (32, "s3", "s4"),
}


def mixed(parts: Parts, experts: Sequence[Classifier | None], gate: nn.Module) -> Mixture:
    """The mixture of branches with the weights of these experts; None is M_clean."""
    names = parts.branch.state_dict()
    states = [expert and {name: expert.state_dict()[name] for name in names} for expert in experts]
    return Mixture.shared(parts, states, gate).eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_what_is_shared_runs_as_it_would_in_whole_networks(name: str) -> None:
    size, until, start = BACKBONES[name]
    many_BCHW = photographs(16, size)
    images_BCHW = many_BCHW[:2]
    clean = random_network(name, size)
    other = copy.deepcopy(clean)
    fill(clean, 0, many_BCHW)
    fill(other, 1, many_BCHW)
    stages = Stages(clean, name)
    weights_BE = torch.tensor([[0.3, 0.7], [0.8, 0.2]])
    with torch.inference_mode():
        alone_BK = clean(images_BCHW).softmax(1)
        for sharing in (Sharing(until=until), Sharing(from_=start), Sharing(until, start)):
            mixture = mixed(stages.divide(sharing), [None, other], GivenWeights(weights_BE))
            p_BK, w_BE = mixture(images_BCHW)
            expected_BK = mixed_by_hand(clean, [clean, other], sharing, images_BCHW, weights_BE)
            torch.testing.assert_close(p_BK, expected_BK, rtol=0, atol=1e-5)
            assert torch.equal(w_BE, weights_BE)
            # The other expert shows, and differently in each image.
            changes_B = (expected_BK - alone_BK).abs().amax(1)
            assert changes_B.min() > 1e-3
            assert (expected_BK[0] - expected_BK[1]).abs().max() > 1e-3


class Activating(nn.Module):
    """Its blocks begin with an activation that overwrites what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.SiLU(inplace=True), nn.Conv2d(6, 6, 3)) for _ in range(3))
        )
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits_BK: Tensor = self.fc(self.blocks(self.stem(x)).mean((2, 3)))
        return logits_BK


def every_sharing(points: Sequence[str]) -> Iterator[Sharing]:
    yield from (Sharing(until=point) for point in points)
    yield from (Sharing(from_=point) for point in points)
    yield from (Sharing(*pair) for pair in combinations(points, 2))


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        (Skipping, ["blocks.0", "blocks.1", "blocks.2", "fc1", "fc2"]),
        (Activating, ["blocks.0", "blocks.1", "blocks.2", "fc"]),
    ],
)
def test_three_branches_at_every_point_of_a_small_network(
    kind: type[nn.Module], points: list[str]
) -> None:
    images_BCHW = photographs(3)
    networks = [classifier(kind()) for _ in range(4)]
    for seed, network in enumerate(networks):
        fill(network, seed, images_BCHW)
    clean, *experts = networks
    stages = Stages(clean, "small")
    weights_BE = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.9, 0.1], [1.0, 0.0, 0.0]])
    with torch.inference_mode():
        for sharing in every_sharing(points):
            p_BK, _ = mixed(stages.divide(sharing), experts, GivenWeights(weights_BE))(images_BCHW)
            expected_BK = mixed_by_hand(clean, experts, sharing, images_BCHW, weights_BE)
            torch.testing.assert_close(p_BK, expected_BK, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["timm/test_resnet", "timm/test_efficientnet", "hand-made"])
def test_with_equal_branches_every_sharing_is_the_single_network(name: str) -> None:
    images_BCHW = photographs(side=32)
    network = classifier(Skipping()) if name == "hand-made" else random_network(name, 32)
    fill(network, 0, images_BCHW)
    stages = Stages(network, name)
    points = [point.name for point in stages.points]
    gate = Gate(3, PREPROCESSING, seed=1)
    with torch.inference_mode():
        alone_BK = network(images_BCHW).softmax(1)
        for sharing in every_sharing(points[::3]):
            p_BK, w_BE = mixed(stages.divide(sharing), [None] * 3, gate)(images_BCHW)
            torch.testing.assert_close(p_BK, alone_BK, rtol=0, atol=1e-5)
            assert torch.equal(w_BE, gate(images_BCHW))


def test_a_mixture_fuses_its_outputs_under_any_weights() -> None:
    images_BCHW = photographs(2)
    networks = [classifier(Skipping()) for _ in range(3)]
    for seed, network in enumerate(networks):
        fill(network, seed, images_BCHW)
    clean, *experts = networks
    stages = Stages(clean, "skipping")
    given_BE = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    with torch.inference_mode():
        for sharing in (Sharing(until="blocks.1"), Sharing(from_="blocks.2")):
            own = mixed(stages.divide(sharing), experts, Gate(2, PREPROCESSING))
            p_BK = own.fuse(own.branch_outputs(images_BCHW), given_BE)
            expected_BK = mixed_by_hand(clean, experts, sharing, images_BCHW, given_BE)
            torch.testing.assert_close(p_BK, expected_BK, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "sharing",
    [Sharing(until="blocks.1"), Sharing(from_="fc1"), Sharing(until="blocks.1", from_="fc1")],
    ids=lambda sharing: sharing.name,
)
def test_shared_stages_run_once_for_each_batch(sharing: Sharing) -> None:
    clean, *experts = [classifier(Skipping()) for _ in range(4)]
    parts = Stages(clean, "skipping").divide(sharing)
    mixture = mixed(parts, experts, Gate(3, PREPROCESSING))
    calls: dict[nn.Module, int] = {}

    def note(module: nn.Module, _inputs: object, _output: object) -> None:
        calls[module] = calls.get(module, 0) + 1

    watched = [mixture.prefix, mixture.suffix, mixture.gate, *mixture.branches]
    watched = [part for part in watched if part is not None]
    layers = [m for m in mixture.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for module in {*watched, *layers}:
        module.register_forward_hook(note)
    with torch.inference_mode():
        mixture(photographs(2))
        assert calls == dict.fromkeys({*watched, *layers}, 1)
        mixture(photographs(2))
        assert calls == dict.fromkeys({*watched, *layers}, 2)
    shared = {m for m in clean.modules() if isinstance(m, (nn.Conv2d, nn.Linear))} & set(layers)
    # Of 9 layers, M_clean has 3 before blocks.1 and 2 from fc1 on.
    assert len(shared) == 3 * bool(sharing.until) + 2 * bool(sharing.from_)


def test_the_state_of_another_branch_is_refused() -> None:
    stages = Stages(classifier(Skipping()), "skipping")
    parts = stages.divide(Sharing(until="blocks.1", from_="fc1"))
    for sharing in (Sharing(until="blocks.2", from_="fc1"), Sharing(until="blocks.1")):
        state = stages.divide(sharing).branch.state_dict()
        with pytest.raises(RuntimeError, match="key"):
            Mixture.shared(parts, [None, state], Gate(2, PREPROCESSING))


def test_branches_are_copies_but_for_that_of_the_clean_network() -> None:
    clean, other = classifier(Skipping()), classifier(Skipping())
    parts = Stages(clean, "skipping").divide(Sharing("blocks.1", "fc1"))
    mixture = mixed(parts, [None, other, other], Gate(3, PREPROCESSING))
    own, *others = [set(branch.parameters()) for branch in mixture.branches]
    assert own < set(clean.parameters())
    assert not any(one & set(network.parameters()) for one in others for network in (clean, other))
    assert not others[0] & others[1]


# One branch in training


def branched(sharing: Sharing) -> tuple[Classifier, Parts, BranchedClassifier]:
    network = classifier(Skipping())
    fill(network, 3, photographs(8))
    parts = Stages(network, "skipping").divide(sharing)
    return network, parts, BranchedClassifier(parts)


TREE, INVERTED = Sharing(until="blocks.1"), Sharing(from_="fc1")
BOTH = Sharing(until="blocks.1", from_="blocks.2")
OWN = {  # the names of the branch's tensors begin with one of these
    TREE: ("backbone.blocks.1.", "backbone.blocks.2.", "backbone.fc"),
    INVERTED: ("backbone.stem.", "backbone.norm.", "backbone.blocks."),
    BOTH: ("backbone.blocks.1.",),
}
each_sharing = pytest.mark.parametrize("sharing", OWN, ids=lambda sharing: sharing.name)


@each_sharing
def test_a_branched_classifier_is_the_classifier_in_inference(sharing: Sharing) -> None:
    network, _, trained = branched(sharing)
    with torch.inference_mode():
        assert torch.equal(trained.eval()(photographs()), network(photographs()))


@each_sharing
def test_it_holds_the_branch_only(sharing: Sharing) -> None:
    network, parts, trained = branched(sharing)
    state = {name: t for name, t in network.state_dict().items() if name.startswith(OWN[sharing])}
    assert trained.branch.state_dict().keys() == state.keys()
    assert trained.state_dict().keys() == {f"branch.{name}" for name in state}
    assert {id(p) for p in trained.parameters()} == {id(p) for p in parts.branch.parameters()}
    assert {id(p) for p in trained.parameters()} == {
        id(p) for name, p in network.named_parameters() if name.startswith(OWN[sharing])
    }


@each_sharing
def test_training_moves_the_branch_only(sharing: Sharing) -> None:
    network, _, trained = branched(sharing)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    trained.train()
    trained(photographs(8) / 2).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == name.startswith(OWN[sharing]), name
    optimizer.step()
    for name, tensor in network.state_dict().items():
        # Statistics of the norms, and their counts of batches, are among them.
        assert torch.equal(tensor, before[name]) != name.startswith(OWN[sharing]), name


def test_the_gradient_is_that_of_the_whole_network() -> None:
    network, _, trained = branched(BOTH)
    trained.eval()
    gradients = []
    for model in (trained, network):
        network.zero_grad()
        model(photographs(8)).square().sum().backward()
        gradients.append([parameter.grad for parameter in trained.parameters()])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_what_comes_before_the_branch_runs_without_autograd() -> None:
    _, parts, trained = branched(TREE)
    parts.prefix.requires_grad_(True)  # even if somebody thaws it
    seen: list[Tensor] = []
    parts.prefix.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    assert trained.train()(photographs()).requires_grad
    assert [(features.requires_grad, features.grad_fn) for features in seen] == [(False, None)]


def test_frozen_stages_drop_nothing() -> None:
    _, _, trained = branched(INVERTED)  # its dropout is in the suffix
    trained.train()
    logits_BK = trained(photographs(8))
    assert torch.equal(trained(photographs(8)), logits_BK)
    _, _, tree = branched(TREE)  # and here in the branch
    tree.train()
    assert not torch.equal(tree(photographs(8)), tree(photographs(8)))


@each_sharing
def test_moving_it_takes_the_frozen_stages_along(sharing: Sharing) -> None:
    _, parts, trained = branched(sharing)
    trained.eval()
    single_BK = trained(photographs())
    for wide in (trained.double(), trained.to(torch.float64)):
        double_BK = wide(photographs().double())
        assert double_BK.dtype == torch.float64
        torch.testing.assert_close(double_BK.float(), single_BK, rtol=1e-4, atol=1e-5)
    tensors = [
        tensor
        for part in (parts.prefix, parts.branch, parts.suffix)
        if part is not None
        for tensor in part.state_dict().values()
    ]
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float64}
    trained.to("meta")
    assert trained(photographs().double().to("meta")).device.type == "meta"


def test_the_new_parameters_are_those_of_a_last_layer_of_its_own() -> None:
    network, _, tree = branched(TREE)
    assert {id(p) for p in tree.new_parameters()} == {
        id(p) for p in network.backbone.fc2.parameters()
    }
    assert branched(INVERTED)[2].new_parameters() == []
    assert branched(BOTH)[2].new_parameters() == []
