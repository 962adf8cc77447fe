from collections.abc import Callable
from itertools import pairwise

import pytest
import timm
import torch
from hand_made import PREPROCESSING, Deciding, Ladder, Skipping, classifier, photographs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from mixqual.errors import BackboneError
from mixqual.networks import Classifier
from mixqual.networks.graph import TracedClassifier, trace


def composed(traced: TracedClassifier, *cuts: object) -> Callable[[Tensor], Tensor]:
    """The segments between cuts, one after the other."""
    segments = [traced.segment(*ends) for ends in pairwise([None, *cuts, None])]
    return nn.Sequential(*segments)


# Where the cuts are


def test_a_network_with_skips_is_cut_between_its_blocks_only() -> None:
    traced = trace(classifier(Skipping()))
    assert [str(node.target) for node in traced.layers()] == [
        "backbone.stem",
        *(f"backbone.blocks.{block}.{layer}" for block in range(3) for layer in ("one", "two")),
        "backbone.fc1",
        "backbone.fc2",
    ]
    assert [gap.layer for gap in traced.gaps()] == [
        *("blocks.0.one", "blocks.1.one", "blocks.2.one", "fc1", "fc2")
    ]
    # Convolution, norm, ReLU; the sums of the blocks, the last of them pooled; ReLU and dropout.
    assert [len(gap.tensors) for gap in traced.gaps()] == [3, 1, 1, 2, 3]


def test_segments_one_after_the_other_are_the_whole() -> None:
    network, images_BCHW = classifier(Skipping()), photographs()
    traced = trace(network)
    places = [tensor for gap in traced.gaps() for tensor in gap.tensors]
    with torch.inference_mode():
        whole_BK = network(images_BCHW)
        assert torch.equal(composed(traced, *places)(images_BCHW), whole_BK)
        for place in places:
            assert torch.equal(composed(traced, place)(images_BCHW), whole_BK)


class Wired(nn.Module):
    """Every layer takes the sum of some earlier ones, 0 being the stem; the head takes the rest."""

    def __init__(self, wires: list[list[int]]) -> None:
        super().__init__()
        self.wires = wires
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(len(wires) + 1))
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        values = [self.layers[0](x)]
        for sources, layer in zip(self.wires, list(self.layers)[1:], strict=True):
            values.append(layer(torch.stack([values[source] for source in sources]).sum(0)))
        ends = torch.stack([values[end] for end in self.ends()]).sum(0)
        logits_BK: Tensor = self.head(ends.mean((2, 3)))
        return logits_BK

    def ends(self) -> list[int]:
        used = {source for sources in self.wires for source in sources}
        return [index for index in range(len(self.layers)) if index not in used]

    def reaches_the_head_without(self, blocked: int) -> bool:
        reached = set() if blocked == 0 else {0}
        for index, sources in enumerate(self.wires, start=1):
            if index != blocked and reached & set(sources):
                reached.add(index)
        return bool(reached & set(self.ends()))


@st.composite
def wirings(draw: st.DrawFn) -> list[list[int]]:
    count = draw(st.integers(1, 6))
    # Most layers take the one before them, or there would seldom be any cut.
    return [
        draw(st.one_of(st.just([index]), st.lists(st.integers(0, index), min_size=1, unique=True)))
        for index in range(count)
    ]


@settings(deadline=None, max_examples=25, derandomize=True)
@given(wires=wirings())
def test_a_cut_is_a_layer_that_every_way_to_the_end_goes_through(wires: list[list[int]]) -> None:
    backbone = Wired(wires)
    network, images_BCHW = classifier(backbone), photographs(1, 4)
    traced = trace(network)
    places = [tensor for gap in traced.gaps() for tensor in gap.tensors]
    cut = {str(place.target) for place in places if place.op == "call_module"}
    assert cut == {
        f"backbone.layers.{index}"
        for index in range(len(backbone.layers))
        if not backbone.reaches_the_head_without(index)
    }
    with torch.inference_mode():
        assert torch.equal(composed(traced, *places)(images_BCHW), network(images_BCHW))


def test_a_tensor_that_goes_past_all_layers_leaves_no_cut() -> None:
    assert trace(classifier(Ladder())).gaps() == []


class Halves(nn.Module):
    """Works on one half of its channels only."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.two = nn.Conv2d(2, 2, 1)
        self.head = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = self.one(x).chunk(2, 1)
        logits_BK: Tensor = self.head((kept + self.two(changed)).mean((2, 3)))
        return logits_BK


def test_what_crosses_is_a_tensor_and_no_tuple() -> None:
    traced = trace(classifier(Halves()))
    with torch.inference_mode():
        for gap in traced.gaps():
            for place in gap.tensors:
                assert isinstance(traced.segment(None, place)(photographs()), Tensor), place


def test_the_normalised_images_are_a_cut_of_their_own() -> None:
    traced, images_BCHW = trace(classifier(Skipping())), photographs()
    normalise = traced.segment(None, traced.normalised)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (PREPROCESSING.mean, PREPROCESSING.std)
    )
    torch.testing.assert_close(normalise(images_BCHW), (images_BCHW / 255 - mean) / std)
    assert list(normalise.parameters()) == []


# Training and inference


class Dropping(nn.Module):
    """Drops by a function, not by a module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.layer(x), 0.5, training=self.training)


class DroppingIf(Dropping):
    """Does an operation in training that is none in inference."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = functional.dropout(x, 0.5)
        features: Tensor = self.layer(x)
        return features


def hand_made(block: nn.Module) -> nn.Module:
    backbone = Skipping()
    backbone.blocks[1] = block
    return backbone


DROPPING: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "a function": (lambda: hand_made(Dropping()), 16),
    "an operation of training only": (lambda: hand_made(DroppingIf()), 16),
    "paths": (lambda: timm.create_model("test_vit", num_classes=4, drop_path_rate=0.5), 160),
}


def test_what_drops_in_training_hides_no_other_cut() -> None:
    block = DroppingIf()
    block.layer = nn.Sequential(nn.Conv2d(6, 6, 1))
    layers = [gap.layer for gap in trace(classifier(hand_made(block))).gaps()]
    assert layers == ["blocks.0.one", "blocks.1", "blocks.2.one", "fc1", "fc2"]


class Again(nn.Module):
    """Applies one layer twice, before and after another."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.one(self.two(self.one(x))).mean((2, 3)))
        return logits_BK


def test_no_cut_parts_two_uses_of_one_parameter() -> None:
    assert [gap.layer for gap in trace(classifier(Again())).gaps()] == ["head"]


@pytest.mark.parametrize("case", DROPPING)
def test_segments_drop_what_the_network_drops_when_it_is_in_training(case: str) -> None:
    build, side = DROPPING[case]
    torch.manual_seed(0)
    network, images_BCHW = classifier(build()), photographs(8, side)
    traced = trace(network)
    middle = traced.gaps()[1].tensors[-1]
    first, second = traced.segment(None, middle), traced.segment(middle, None)

    def seeded(run: Callable[[Tensor], Tensor]) -> Tensor:
        torch.manual_seed(1)
        return run(images_BCHW)

    def both(images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = second(first(images_BCHW))
        return logits_BK

    with torch.no_grad():
        inference_BK = network(images_BCHW)
        assert torch.equal(both(images_BCHW), inference_BK)
        network.train()
        training_BK = seeded(network)
        first.train()
        second.train()
        assert torch.equal(seeded(both), training_BK)
        assert not torch.allclose(training_BK, inference_BK)
        first.eval()
        second.eval()
        assert torch.equal(seeded(both), network.eval()(images_BCHW))


def test_a_frozen_segment_does_not_drop_where_another_does() -> None:
    network, images_BCHW = classifier(hand_made(Dropping())), photographs()
    traced = trace(network)
    cut = next(gap.tensors[-1] for gap in traced.gaps() if gap.layer == "blocks.2.one")
    frozen, trained = traced.segment(None, cut).eval(), traced.segment(cut, None).train()
    with torch.no_grad():
        features_BCHW = frozen(images_BCHW)
        assert torch.equal(features_BCHW, frozen(images_BCHW))
        assert not torch.equal(trained(features_BCHW), trained(features_BCHW))


@pytest.mark.parametrize("backbone", ["timm/test_efficientnet", "hand-made", "one that fails"])
def test_tracing_leaves_the_network_as_it_was(backbone: str) -> None:
    made = {
        "hand-made": lambda: hand_made(Dropping()),
        "one that fails": Deciding,
        "timm/test_efficientnet": lambda: timm.create_model("test_efficientnet", num_classes=4),
    }[backbone]()
    network = classifier(made).train()
    modules = list(network.modules())
    modules[len(modules) // 2].eval()  # frozen among trained layers
    modes = [module.training for module in modules]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        trace(network)
    except BackboneError:
        assert backbone == "one that fails"
    assert [module.training for module in network.modules()] == modes
    assert len(set(modes)) == 2
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert torch.is_tensor(network.eval()(photographs(side=32)))


# What cannot be traced


def test_control_flow_on_values_is_refused_with_the_reason() -> None:
    with pytest.raises(BackboneError, match=r"torch\.fx cannot trace it \(.*control flow"):
        trace(classifier(Deciding()))


def test_a_network_that_is_another_in_training_is_refused() -> None:
    class Distilled(Skipping):
        def forward(self, x: Tensor) -> Tensor:
            logits_BK = super().forward(x)
            return logits_BK if self.training else logits_BK.softmax(1)

    with pytest.raises(BackboneError, match="does other operations in training than in inference"):
        trace(Classifier(Distilled(), PREPROCESSING))
