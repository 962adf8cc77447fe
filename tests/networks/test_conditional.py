"""Conditional inference against the whole mixture, and against one image at a time."""

import copy

import numpy as np
import pytest
import torch
from hand_made import PREPROCESSING, Skipping, classifier, photographs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mixqual.errors import MixqualError
from mixqual.fusion import conditional
from mixqual.networks import (
    Classifier,
    Gate,
    Mixture,
    Sharing,
    Stages,
    conditional_forward,
    passing_weights,
)

SHARINGS = {
    "independent": None,
    "treenet": Sharing(until="blocks.1"),
    "inverted": Sharing(from_="fc1"),
    "both": Sharing(until="blocks.1", from_="fc1"),
}
TAUS = (0.0, 0.05, 0.2, 1 / 3, 0.5, 0.75, 1.0)


class Told(nn.Module):
    """A gate that says what it is told, whatever it sees."""

    def __init__(self, weights_BE: Tensor) -> None:
        super().__init__()
        self.weights_BE = weights_BE

    def forward(self, images_BCHW: Tensor) -> Tensor:
        assert len(images_BCHW) == len(self.weights_BE)
        return self.weights_BE


def network(seed: int) -> Classifier:
    """One whose answers are far from those of others: its last layer is large."""
    torch.manual_seed(seed)
    made = classifier(Skipping())
    with torch.no_grad():
        made.backbone.get_submodule("fc2").weight.mul_(20)
    return made


EXPERTS = [network(seed) for seed in range(3)]


def mixture_of(sharing: Sharing | None, gate: nn.Module, experts: int = 3) -> Mixture:
    if sharing is None:
        return Mixture.independent(EXPERTS[:experts], gate).eval()
    parts = Stages(copy.deepcopy(EXPERTS[0]), "skipping").divide(sharing)
    names = parts.branch.state_dict()
    states = [{name: expert.state_dict()[name] for name in names} for expert in EXPERTS[1:experts]]
    return Mixture.shared(parts, [None, *states], gate).eval()


def weights(images: int, experts: int, seed: int, sharpness: float = 1.0) -> Tensor:
    """Random weights, sharper ones nearer to one expert, with some that are zero."""
    generator = np.random.default_rng(seed)
    w_BE = generator.dirichlet(np.full(experts, 1 / sharpness), size=images)
    w_BE[generator.random(w_BE.shape) < 0.1] = 0
    w_BE[w_BE.sum(1) == 0] = 1
    return torch.from_numpy(w_BE / w_BE.sum(1, keepdims=True)).to(torch.float32)


def one_at_a_time(mixture: Mixture, images_BCHW: Tensor, w_BE: Tensor, tau: float) -> Tensor:
    """Eq. 3 image by image, in plain Python, over the experts that pass."""
    rows = []
    for image_CHW, w_E in zip(images_BCHW, w_BE.tolist(), strict=True):
        passing = [e for e, w in enumerate(w_E) if w > 0 and (w >= tau or w == max(w_E))]
        total = sum(w_E[e] for e in passing)
        features = mixture.prefix(image_CHW[None])
        mixed = 0
        for e in passing:
            output = mixture.branches[e](features.clone())
            output = output if mixture.suffix else output.softmax(-1)
            mixed = mixed + w_E[e] / total * output
        rows.append(mixture.suffix(mixed).softmax(1) if mixture.suffix else mixed)
    return torch.cat(rows)


@pytest.mark.parametrize("sharing", SHARINGS.values(), ids=SHARINGS)
def test_equals_the_whole_mixture_at_zero(sharing: Sharing | None) -> None:
    mixture = mixture_of(sharing, Gate(3, PREPROCESSING, seed=1))
    images_BCHW = photographs(7, 24)
    with torch.inference_mode():
        p_BK, w_BE = mixture(images_BCHW)
        own_BK, own_BE = conditional_forward(mixture, images_BCHW, 0)
    torch.testing.assert_close(own_BK, p_BK, atol=1e-6, rtol=0)
    torch.testing.assert_close(own_BE, w_BE, atol=1e-6, rtol=0)
    assert p_BK.std(0).max() > 1e-3  # images differ, so that an order could be wrong


@pytest.mark.parametrize("sharing", SHARINGS.values(), ids=SHARINGS)
@settings(max_examples=12, deadline=None)
@given(
    images=st.integers(1, 9),
    experts=st.integers(2, 3),
    tau=st.sampled_from(TAUS) | st.floats(0, 1),
    sharpness=st.sampled_from([0.5, 1.0, 5.0]),
    seed=st.integers(0, 10**6),
)
def test_equals_one_image_at_a_time(
    sharing: Sharing | None, images: int, experts: int, tau: float, sharpness: float, seed: int
) -> None:
    w_BE = weights(images, experts, seed, sharpness)
    tau = float(np.float32(tau))  # as plain Python compares it
    mixture = mixture_of(sharing, Told(w_BE), experts)
    images_BCHW = photographs(images)
    with torch.inference_mode():
        p_BK, passing_BE = conditional_forward(mixture, images_BCHW, tau)
        expected_BK = one_at_a_time(mixture, images_BCHW, w_BE, tau)
    torch.testing.assert_close(p_BK, expected_BK, atol=1e-6, rtol=0)
    torch.testing.assert_close(passing_BE.sum(1), torch.ones(images))


@pytest.mark.parametrize("sharing", SHARINGS.values(), ids=SHARINGS)
def test_keeps_the_order_of_the_images(sharing: Sharing | None) -> None:
    w_BE, images_BCHW = weights(10, 3, seed=5), photographs(10)
    order_B = torch.randperm(10, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        p_BK, _ = conditional_forward(mixture_of(sharing, Told(w_BE)), images_BCHW, 0.3)
        turned = mixture_of(sharing, Told(w_BE[order_B]))
        turned_BK, _ = conditional_forward(turned, images_BCHW[order_B], 0.3)
    torch.testing.assert_close(turned_BK, p_BK[order_B], atol=1e-6, rtol=0)


def test_each_expert_runs_once_on_the_images_that_need_it() -> None:
    w_BE = torch.tensor(
        [[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.34, 0.33, 0.33], [1.0, 0.0, 0.0]]
    )
    mixture = mixture_of(SHARINGS["both"], Told(w_BE))
    seen: dict[nn.Module, list[int]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor], _output: object) -> None:
        seen.setdefault(module, []).append(len(inputs[0]))

    watched = [mixture.prefix, *mixture.branches, mixture.suffix]
    for module in watched:
        assert module is not None
        module.register_forward_hook(note)

    def images_run(tau: float) -> list[list[int]]:
        seen.clear()
        with torch.inference_mode():
            conditional_forward(mixture, photographs(5), tau)
        return [seen.get(module, []) for module in watched if module is not None]

    assert images_run(0) == [[5], [5], [4], [3], [5]]
    assert images_run(0.2) == [[5], [4], [3], [1], [5]]
    assert images_run(0.6) == [[5], [4], [1], [], [5]]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_experts_see_their_images_in_the_memory_format_that_these_have(
    memory_format: torch.memory_format,
) -> None:
    w_BE, images_BCHW = (
        weights(9, 3, seed=4),
        photographs(9).contiguous(memory_format=memory_format),
    )
    mixture = mixture_of(None, Told(w_BE))
    seen: list[Tensor] = []
    for branch in mixture.branches:
        branch.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    with torch.inference_mode():
        conditional_forward(mixture, images_BCHW, 0.3)
    for expert, given_BCHW in enumerate(seen):
        assert given_BCHW.is_contiguous(memory_format=memory_format)
        passing_B = passing_weights(w_BE, 0.3)[:, expert] > 0
        assert torch.equal(given_BCHW, images_BCHW[passing_B])
    assert len(seen) == 3


@settings(max_examples=60, deadline=None)
@given(
    images=st.integers(1, 20),
    experts=st.integers(2, 6),
    classes=st.integers(2, 5),
    tau=st.sampled_from(TAUS) | st.floats(0, 1),
    at_a_weight=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_numpy_s_twin_agrees(
    images: int, experts: int, classes: int, tau: float, at_a_weight: bool, seed: int
) -> None:
    """The rule that reports are made with, also where a weight is the very threshold."""
    w_BE = weights(images, experts, seed, sharpness=2.0)
    tau = w_BE.flatten()[seed % w_BE.numel()].item() if at_a_weight else tau
    logits_EBK = torch.randn(
        (experts, images, classes), generator=torch.Generator().manual_seed(seed)
    )
    branches = [Answering(logits_BK) for logits_BK in logits_EBK]
    numbers_B111 = torch.arange(images)[:, None, None, None].float()
    mixture = Mixture.independent(branches, Told(w_BE))
    p_BK, passing_BE = conditional_forward(mixture, numbers_B111, tau)
    p_NK, experts_N = conditional(logits_EBK.softmax(-1).numpy(), w_BE.numpy(), tau)
    np.testing.assert_allclose(p_BK.numpy(), p_NK, atol=1e-6)
    np.testing.assert_array_equal((passing_BE > 0).sum(1).numpy(), experts_N)


class Answering(nn.Module):
    """A network whose images are numbers, by which it looks up its answers."""

    def __init__(self, logits_BK: Tensor) -> None:
        super().__init__()
        self.logits_BK = logits_BK

    def forward(self, numbers_B111: Tensor) -> Tensor:
        return self.logits_BK[numbers_B111.flatten().long()]


def test_a_threshold_that_a_float_cannot_hold_is_met_by_the_nearest() -> None:
    """0.1 and 0.7 are no binary fractions: weights of that size must pass all the same."""
    w_BE = torch.tensor([[0.1, 0.2, 0.7], [0.7, 0.1, 0.2]])
    assert (passing_weights(w_BE, 0.1) > 0).all()
    p_EBK = np.full((3, 2, 4), 0.25, dtype=np.float32)
    assert conditional(p_EBK, w_BE.numpy(), 0.1)[1].tolist() == [3, 3]
    assert conditional(p_EBK, w_BE.numpy(), 0.7)[1].tolist() == [1, 1]


@pytest.mark.parametrize("tau", [-0.01, 1.01, float("nan")])
def test_a_threshold_that_is_no_weight_is_refused(tau: float) -> None:
    w_BE = weights(2, 3, 0)
    with pytest.raises(MixqualError, match=r"tau = .*: a threshold of weights lies in 0\.\.\.1"):
        passing_weights(w_BE, tau)
    with pytest.raises(MixqualError, match=r"tau = .*: a threshold of weights lies in 0\.\.\.1"):
        conditional(np.full((3, 2, 4), 0.25), w_BE.numpy(), tau)
