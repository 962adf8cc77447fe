"""Inference of M_mix, gate included, against one network: whole, and by the experts that it needs.

All networks run eagerly with folded batch norms. The gate's last layer is set so that each expert
is the favourite of some images, and the threshold so that a given mean number of experts runs.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from mixqual.bench.pictures import fractal_pictures
from mixqual.bench.timing import Ratio, ratio_of, time_in_turn
from mixqual.config import BackboneConfig
from mixqual.networks import (
    Gate,
    Mixture,
    backbone_preprocessing,
    build_classifier,
    conditional_forward,
    fold_batch_norms,
    passing_weights,
)
from mixqual.runtime import place

_CPU = torch.device("cpu")
_CONFIG = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="random")
_EXPERTS, _SIDE, _BATCH, _CLASSES, _REPETITIONS = 3, 224, 32, 4, 7
_NEEDED = (1.0, 1.25, 2.0, 3.0)
"""Mean numbers of experts that run for an image."""
_SPREAD = 3.0  # of a decisive gate's scores, before the softmax


def measure() -> list[Ratio]:
    """The whole mixture and the curve of its cost, under either gate."""
    experts = [_expert(seed) for seed in range(_EXPERTS)]
    images_BCHW = fractal_pictures(_BATCH, _SIDE)
    with torch.inference_mode():
        return [row for kind in ("paper", "patch") for row in _rows(experts, kind, images_BCHW)]


def _rows(experts: list[nn.Module], kind: str, images_BCHW: Tensor) -> list[Ratio]:
    gate = place(Gate(_EXPERTS, backbone_preprocessing(_CONFIG), kind=kind), _CPU).eval()
    decide(gate, images_BCHW)
    mixture = Mixture.independent(experts, gate).eval()
    weights_BE = gate(images_BCHW)
    single, whole = "one network", f"M_mix whole, {kind} gate"
    calls: dict[str, Callable[[], object]] = {
        single: partial(experts[0], images_BCHW),
        whole: partial(mixture, images_BCHW),
    }
    pairs = [(whole, single)]
    for needed in _NEEDED:
        tau = threshold(weights_BE, needed)
        passing_BE = passing_weights(weights_BE, tau) > 0
        mean = passing_BE.sum().item() / _BATCH
        what = f"M_mix conditional, {kind} gate, {mean:.2f} experts an image"
        floor = f"floor: the gate, and {mean:.2f} networks an image, images chosen before"
        calls[what] = partial(conditional_forward, mixture, images_BCHW, tau)
        chosen = [images_BCHW[passing_B] for passing_B in passing_BE.unbind(1)]
        calls[floor] = partial(_in_parts, mixture, images_BCHW, chosen)
        pairs += [(what, single), (what, floor)]
    rounds = time_in_turn(calls, _REPETITIONS)
    return [ratio_of(rounds, what, against, _settings()) for what, against in pairs]


def decide(gate: Gate, images_BCHW: Tensor) -> None:
    """Make a gate decisive on a batch, where each expert's scores then have mean 0 and a spread."""
    last = gate.layers[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        scores_BE = gate(images_BCHW).log()  # up to a summand for each image
        scores_BE = scores_BE - scores_BE.mean(1, keepdim=True)
        means_E = scores_BE.mean(0)
        factor = _SPREAD / (scores_BE - means_E).std()
        last.bias.sub_(means_E).mul_(factor)
        last.weight.mul_(factor)


def threshold(weights_BE: Tensor, needed: float) -> float:
    """The threshold that on average so many experts of an image pass, at least one."""
    count, experts = weights_BE.shape
    others_N = weights_BE.sort(1, descending=True).values[:, 1:].flatten().sort().values.tolist()
    fewer = count * experts - round(needed * count)  # of the others, which do not pass
    if fewer == 0:
        return 0.0
    if fewer == len(others_N):
        return 1.0
    return float((others_N[fewer - 1] + others_N[fewer]) / 2)


def _expert(seed: int) -> nn.Module:
    network = place(build_classifier(_CONFIG, _CLASSES, seed), _CPU).eval()
    return place(fold_batch_norms(network), _CPU)


def _in_parts(mixture: Mixture, images_BCHW: Tensor, chosen: list[Tensor]) -> None:
    mixture.gate(images_BCHW)
    for branch, part_BCHW in zip(mixture.branches, chosen, strict=True):
        if len(part_BCHW):
            branch(part_BCHW)


def _settings() -> str:
    return (
        f"{_EXPERTS} {_CONFIG.name}, eager with folded batch norms, at {_SIDE} pixels, "
        f"batch {_BATCH}, {torch.get_num_threads()} threads"
    )
