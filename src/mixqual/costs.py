"""The cost of every model of a study and of every stage of its backbone, one image at a time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from mixqual.errors import BackboneError
from mixqual.evaluation import Latency, beside, count, count_parts, time_in_turn
from mixqual.networks import Mixture, Stages
from mixqual.tree_plan import Tree
from mixqual.trees import load_tree
from mixqual.workbench import Workbench, load_gate, load_network


def costs(bench: Workbench, trees: Sequence[Tree], classes: int) -> dict[str, dict[str, Any]]:
    """Model to params, macs, latency_ms and experts_run; the networks of the first seed are timed.

    An ensemble runs all experts; M_hardmix runs the gate and then one expert, though all of them
    have to be stored. Latencies are measured here and now, so they differ from run to run; the
    models are timed in turn, each tree in turn with one network.
    """
    plan, device, size = bench.plan, bench.machine.device, bench.plan.config.data.size
    names = list(plan.config.experts)
    experts = [load_network(bench, classes, name, plan.config.seeds[0]) for name in names]
    first = plan.config.seeds[0]
    gate = load_gate(bench, plan.gate_key(first), first)
    models: dict[str, Callable[[Tensor], object]] = {
        "single": experts[0],
        "ensemble": lambda images: [network(images) for network in experts],
        "hardmix": lambda images: (gate(images), experts[0](images)),
        "mix": Mixture.independent(experts, gate),
    }
    timed = {name: Latency.of(times) for name, times in time_in_turn(models, size, device).items()}
    one, gating = count(experts[0], size), count(gate, size)

    def row(model: str, stored: int, run: int, gated: bool) -> dict[str, Any]:
        return {
            "params": stored * one.params + gated * gating.params,
            "macs": run * one.macs + gated * gating.macs,
            **timed[model].fields(),
            "experts_run": run,
        }

    single = row("single", 1, 1, False)
    ensemble = row("ensemble", len(names), len(names), False)
    controls = [tree.control for tree in trees if tree.control]
    return {
        **dict.fromkeys([*plan.networks, *controls], single),
        "avg": ensemble,
        "max": ensemble,
        "hardmix": row("hardmix", len(names), 1, True),
        "mix": row("mix", len(names), len(names), True),
        **{
            tree.name: _tree_cost(bench, tree, classes, experts[0], timed["single"])
            for tree in trees
        },
    }


def stage_costs(bench: Workbench, classes: int) -> list[dict[str, Any]]:
    """Name, params and macs of every stage of one network; none if it cannot be cut into stages.

    A stage has the name of the branch point where it begins; the first, which begins with the
    image, has None.
    """
    config = bench.plan.config
    network = load_network(bench, classes, next(iter(config.experts)), config.seeds[0])
    try:
        stages = Stages(network, config.backbone.name)
    except BackboneError:
        return []
    names = [None, *(point.name for point in stages.points)]
    counted = count_parts(stages.split(), config.data.size)
    return [{"name": name, **asdict(cost)} for name, cost in zip(names, counted, strict=True)]


def _tree_cost(
    bench: Workbench, tree: Tree, classes: int, single: nn.Module, known: Latency
) -> dict[str, Any]:
    """All branches run, and what they share runs once."""
    mixture = load_tree(bench, classes, tree, bench.plan.config.seeds[0])
    size = bench.plan.config.data.size
    rounds = time_in_turn({"tree": mixture, "single": single}, size, bench.machine.device)
    return {
        **asdict(count(mixture, size)),
        **beside(rounds, "tree", "single", known).fields(),
        "experts_run": len(mixture.branches),
    }
