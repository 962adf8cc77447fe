"""The cost of every model of a study: parameters, MACs and latency, for one image at a time."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from mixqual.config import BackboneConfig
from mixqual.errors import StudyError
from mixqual.evaluation import count, latency_ms
from mixqual.networks import Gate, Mixture, backbone_preprocessing, build_classifier
from mixqual.workbench import Workbench, load_gate, load_network


def costs(bench: Workbench, classes: int) -> dict[str, dict[str, Any]]:
    """Model to params, macs, latency_ms and experts_run; the networks of the first seed are timed.

    An ensemble runs all experts; M_hardmix runs the gate and then one expert, though all of them
    have to be stored. Latencies are measured here and now, so they differ from run to run.
    """
    plan, device, size = bench.plan, bench.machine.device, bench.plan.config.data.size
    names = list(plan.config.experts)
    experts = [load_network(bench, classes, name, plan.config.seeds[0]) for name in names]
    gate = load_gate(bench, plan.config.seeds[0])
    mixture = Mixture(experts, gate)
    one, gating = count(experts[0], size), count(gate, size)

    def row(
        stored: int, run: int, gated: bool, predict: Callable[[Tensor], object]
    ) -> dict[str, Any]:
        return {
            "params": stored * one.params + gated * gating.params,
            "macs": run * one.macs + gated * gating.macs,
            "latency_ms": round(latency_ms(predict, size, device), 3),
            "experts_run": run,
        }

    single = row(1, 1, False, experts[0])
    ensemble = row(len(names), len(names), False, lambda images: [net(images) for net in experts])
    hard = row(len(names), 1, True, lambda images: (gate(images), experts[0](images)))
    mix = row(len(names), len(names), True, mixture)
    return {
        **dict.fromkeys(plan.networks, single),
        "avg": ensemble,
        "max": ensemble,
        "hardmix": hard,
        "mix": mix,
    }


def variants(backbone: str, classes: str, *, experts: int, size: int) -> list[dict[str, Any]]:
    """Parameters and MACs of one network and of the independent mixture with its gate.

    `classes` is a number, or several with commas, over which the counts are averaged. Raises
    `StudyError` for anything else, `BackboneError` for an unknown backbone.
    """
    config = BackboneConfig(name=backbone, weights="random")
    counts = []
    for number in _numbers(classes):
        network = build_classifier(config, number, seed=0)
        counts.append(count(network, size))
        del network
    gate = count(Gate(experts, backbone_preprocessing(config)), size)
    params = round(sum(cost.params for cost in counts) / len(counts))
    macs = round(sum(cost.macs for cost in counts) / len(counts))
    return [
        {"variant": "single", "branch": "", "params": params, "macs": macs},
        {
            "variant": "independent",
            "branch": "",
            "params": experts * params + gate.params,
            "macs": experts * macs + gate.macs,
        },
    ]


def _numbers(classes: str) -> list[int]:
    try:
        numbers = [int(part) for part in classes.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise StudyError(f"--classes {classes}: write a number, or several: 101,256,67")
    return numbers
