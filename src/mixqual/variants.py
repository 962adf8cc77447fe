"""`mixqual cost`: a backbone alone, as a mixture, and as a tree at each branch point."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError, StudyError
from mixqual.evaluation import Cost, Latency, count, count_parts, time_in_turn
from mixqual.networks import (
    Classifier,
    Gate,
    Mixture,
    Sharing,
    Stages,
    backbone_preprocessing,
    build_classifier,
)
from mixqual.runtime import place


@final
@dataclass(frozen=True)
class Variants:
    """The costs of a backbone alone, and of every mixture that can be made of it."""

    rows: list[dict[str, Any]]
    """`variant`, `branch`, `params`, `macs`, and `latency_ms` with its range if it was measured."""
    uncut: str
    """Why there are no trees, if the backbone cannot be cut into stages; else empty."""


def variants(
    backbone: str,
    classes: str,
    *,
    experts: int,
    size: int,
    gate_kind: str = "paper",
    latency_batch: int = 0,
) -> Variants:
    """Parameters and MACs of one network, of the independent mixture, and of trees at every stage.

    `classes` is a number, or several with commas, over which the counts are averaged (the paper's
    Tables 6 and 7 are means over 101, 256 and 67). Every mixture has a gate of a kind that studies
    know. With a `latency_batch` all are also timed, in turn, in milliseconds an image. Raises
    `StudyError` for other `classes` or kinds of gate, `BackboneError` for an unknown backbone.
    """
    config = BackboneConfig(name=backbone, weights="random")
    counts, names, uncut = [], [], ""
    stages: Stages | None = None
    for number in _numbers(classes):
        network = build_classifier(config, number, seed=0).eval()
        try:
            stages = Stages(network, backbone)
            parts: list[nn.Module] = [*stages.split()]
            names = [point.name for point in stages.points]
        except BackboneError as error:
            parts, uncut = [network], str(error)
        counts.append(count_parts(parts, size))
    stage_costs = [_mean(costs) for costs in zip(*counts, strict=True)]
    gate = Gate(experts, backbone_preprocessing(config), kind=gate_kind).eval()
    gating, whole = count(gate, size), _total(stage_costs)
    rows = [_row("single", "", whole), _row("independent", "", _mixed(whole, experts, gating))]
    for variant in ("treenet", "inverted"):
        for index, name in enumerate(names, start=1):
            before, after = _total(stage_costs[:index]), _total(stage_costs[index:])
            shared, own = (before, after) if variant == "treenet" else (after, before)
            rows.append(_row(variant, name, _mixed(own, experts, gating, shared)))
    if latency_batch:
        models = {str(i): _untrained(r, network, stages, gate, experts) for i, r in enumerate(rows)}
        rounds = time_in_turn(models, size, torch.device("cpu"), latency_batch)
        for row, times in zip(rows, rounds.values(), strict=True):
            row |= Latency.of(times).fields()
    return Variants(rows, uncut)


def cost(
    backbone: str,
    classes: str,
    *,
    experts: int = 3,
    size: int = 224,
    gate_kind: str = "paper",
) -> list[dict[str, Any]]:
    """The rows of `variants`; warns if the backbone cannot be cut."""
    found = variants(backbone, classes, experts=experts, size=size, gate_kind=gate_kind)
    if found.uncut:
        warnings.warn(found.uncut, stacklevel=2)
    return found.rows


def _untrained(
    row: Mapping[str, Any], network: Classifier, stages: Stages | None, gate: Gate, experts: int
) -> nn.Module:
    """A model of a row's shape, all of whose branches are the same."""
    place(network, torch.device("cpu"))
    place(gate, torch.device("cpu"))
    if row["variant"] == "single":
        return network
    if row["variant"] == "independent" or stages is None:
        return Mixture.independent([network] * experts, gate).eval()
    tree = row["variant"] == "treenet"
    sharing = Sharing(until=row["branch"]) if tree else Sharing(from_=row["branch"])
    return Mixture.shared(stages.divide(sharing), [None] * experts, gate).eval()


def _row(variant: str, branch: str, cost: Cost) -> dict[str, Any]:
    return {"variant": variant, "branch": branch, "params": cost.params, "macs": cost.macs}


def _mixed(own: Cost, experts: int, gate: Cost, *shared: Cost) -> Cost:
    """A mixture whose experts have stages of their own, and others in common."""
    return _total([*[own] * experts, *shared, gate])


def _total(costs: Sequence[Cost]) -> Cost:
    return Cost(sum(cost.params for cost in costs), sum(cost.macs for cost in costs))


def _mean(costs: Sequence[Cost]) -> Cost:
    whole = _total(costs)
    return Cost(round(whole.params / len(costs)), round(whole.macs / len(costs)))


def _numbers(classes: str) -> list[int]:
    try:
        numbers = [int(part) for part in classes.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise StudyError(f"--classes {classes}: write a number, or several: 101,256,67")
    return numbers
