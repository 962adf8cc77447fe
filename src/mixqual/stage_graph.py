"""The stages of a study as a graph: what each makes, and which others it needs.

Nothing is computed here. Stages of different networks, seeds, trees and cells need nothing of each
other, so they can run side by side; `perform.py` says what each of them calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from mixqual.evaluation import Cell
from mixqual.plan import Plan
from mixqual.tree_plan import Tree, trees_of


@final
@dataclass(frozen=True)
class Stage:
    """One stage: small enough to be sent to a worker, which finds all else in the run's folder."""

    makes: str
    """The artifact that it makes; of a sweep, with the numbers of its cells. Unique in a study."""
    title: str
    """What people read."""
    kind: str
    """What `perform` calls."""
    arguments: tuple[str | int, ...]
    """What it is called with."""
    needs: tuple[str, ...] = ()
    """What other stages make first; what is not in the graph is there already."""
    without: str | None = None
    """The distortion that its mixture never saw, if that is what it is for (`Plan.without`)."""

    @property
    def family(self) -> tuple[str | int | None, ...] | None:
        """Stages of one family look at the same images, and are cheaper together (`joined`)."""
        return (self.without, *self.arguments[:4]) if self.kind == "sweep" else None


def joined(stages: Sequence[Stage]) -> Stage:
    """One stage in place of some of a family: it distorts each image once for all networks."""
    first = stages[0]
    if len(stages) == 1:
        return first
    folders = [stage.makes.partition(":")[0] for stage in stages]
    arguments = (*first.arguments[:4], *(name for stage in stages for name in stage.arguments[4:]))
    return replace(
        first,
        makes=f"{'+'.join(folders)}:{first.makes.partition(':')[2]}",
        title=_sweep_title(*arguments),
        arguments=arguments,
        needs=tuple(dict.fromkeys(need for stage in stages for need in stage.needs)),
    )


def study_stages(plan: Plan, cells_a_stage: int) -> list[Stage]:
    """All stages after the images are decoded and split, in the order of a run in one process.

    Every stage comes after those that it needs. A sweep is parted by networks and into blocks of so
    many cells. A network of several trees is there once.
    """
    stages: list[Stage] = []
    for seed in plan.config.seeds:
        stages += _networks(plan, seed)
        stages += _mixture(plan, seed, cells_a_stage, plan.networks)
        for name in (*plan.networks, "gate"):
            stages += _sweep(plan, name, "val", seed, cells_a_stage)
        stages += _trees(plan, seed, cells_a_stage)
        for name, part in plan.without_each.items():
            for stage in _mixture(part, seed, cells_a_stage, list(part.config.experts)):
                stages.append(replace(stage, without=name))
    unique: dict[str, Stage] = {}
    for stage in stages:
        unique.setdefault(stage.makes, stage)
    return list(unique.values())


def artifacts_of(stages: Sequence[Stage]) -> list[str]:
    """The artifacts that stages make or fill, each once; but for those of the trees' controls."""
    names = [name for stage in stages for name in stage.makes.partition(":")[0].split("+")]
    return list(dict.fromkeys(names))


def work_of(stage: Stage, plan: Plan, sizes: Mapping[str, int]) -> float:
    """About how much a stage has to do: images through one network, at most, three for a step.

    `sizes` are those of the splits. The gate counts as a network, and solving weights as nothing.
    """
    config = plan.config
    epoch = 3 * sizes["train"] + sizes["val"]
    match stage.kind, stage.arguments:
        case "network", (str(name), _):
            baseline = config.baselines.get(name)
            # One that continues goes on for as many steps as the experts took, less its own.
            times = len(config.experts) - 1 if baseline and baseline.continues else 1
            return times * config.training_of(name).max_epochs * epoch
        case "branch", (int(number), _, _):
            return trees_of(plan)[number].training.max_epochs * epoch
        case (("gate" | "tree gate"), _):
            return config.gate.max_epochs * epoch
        case "sweep", (str(split), _, int(first), int(last), *names):
            return sizes[split] * (last - first + 1) * len(names)
        case "tree sweep", (str(split), _, int(first), int(last)):
            return sizes[split] * (last - first + 1) * len(trees_of(plan)) * len(config.experts)
        case "tree weights", _:
            return sizes["val"] * len(plan.val_cells) * len(config.experts)
        case _:
            return 0


def _networks(plan: Plan, seed: int) -> Iterator[Stage]:
    for name in plan.networks:
        yield Stage(
            _network(plan, name, seed),
            f"train {name} (seed {seed})",
            "network",
            (name, seed),
            tuple(_network(plan, other, seed) for other in plan.needed_by(name)),
        )


def _mixture(plan: Plan, seed: int, cells_a_stage: int, tested: Sequence[str]) -> Iterator[Stage]:
    """Optimal weights, the gate, and what it and other networks say of the test images."""
    swept: list[str] = []
    for name in plan.config.experts:
        for stage in _sweep(plan, name, "val", seed, cells_a_stage):
            swept.append(stage.makes)
            yield stage
    weights = f"weights-{plan.weights_key(seed)}"
    gate = f"gate-{plan.gate_key(seed)}"
    yield Stage(weights, f"solve weights (seed {seed})", "weights", (seed,), tuple(swept))
    yield Stage(gate, f"train gate (seed {seed})", "gate", (seed,), (weights,))
    for name in (*tested, "gate"):
        yield from _sweep(plan, name, "test", seed, cells_a_stage)


def _sweep(plan: Plan, name: str, split: str, seed: int, cells_a_stage: int) -> Iterator[Stage]:
    made_by = f"gate-{plan.gate_key(seed)}" if name == "gate" else _network(plan, name, seed)
    folder = plan.outputs_folder(name, split, seed)
    for first, last in _blocks(plan.cells(split), cells_a_stage):
        arguments = (split, seed, first, last, name)
        title = _sweep_title(*arguments)
        yield Stage(f"{folder}:{first}-{last}", title, "sweep", arguments, (made_by,))


def _sweep_title(
    split: str | int, seed: str | int, first: str | int, last: str | int, *names: str | int
) -> str:
    by = ", ".join(map(str, names))
    return f"sweep of {split} by {by}, cells {first} to {last} (seed {seed})"


def _trees(plan: Plan, seed: int, cells_a_stage: int) -> Iterator[Stage]:
    trees = trees_of(plan)
    needs: list[str] = []
    for number, tree in enumerate(trees):
        branches = [f"branch-{tree.branch_key(name, seed)}" for name in tree.branches]
        for name, makes in zip(tree.branches, branches, strict=True):
            title = name if name == tree.control else f"{name} of {tree.sharing.name}"
            start = _network(plan, str(plan.start), seed)
            title = f"train {title} (seed {seed})"
            yield Stage(makes, title, "branch", (number, name, seed), (start,))
        yield from _tree_gate(tree, number, seed, branches)
        needs += [*branches, f"gate-{tree.gate_key(seed)}"]
    if not trees:
        return
    # All trees together, as their first stages run once for all of them.
    for split in ("test", "val"):
        folders = "+".join(tree.outputs_folder(split, seed) for tree in trees)
        for first, last in _blocks(plan.cells(split), cells_a_stage):
            yield Stage(
                f"{folders}:{first}-{last}",
                f"sweep of {split} by trees, cells {first} to {last} (seed {seed})",
                "tree sweep",
                (split, seed, first, last),
                tuple(dict.fromkeys(needs)),
            )


def _tree_gate(tree: Tree, number: int, seed: int, branches: Sequence[str]) -> Iterator[Stage]:
    if tree.config.weights != "resolve":
        return
    weights = f"tree-weights-{tree.weights_key(seed)}"
    start = f"weights-{tree.plan.weights_key(seed)}"  # from which the search sets out
    title = f"weights of {tree.name} (seed {seed})"
    yield Stage(weights, title, "tree weights", (number, seed), (*branches, start))
    title = f"train gate of {tree.name} (seed {seed})"
    yield Stage(f"gate-{tree.gate_key(seed)}", title, "tree gate", (number, seed), (weights,))


def _network(plan: Plan, name: str, seed: int) -> str:
    return f"network-{plan.network_key(name, seed)}"


def _blocks(cells: Sequence[Cell], size: int) -> Iterator[tuple[int, int]]:
    """First and last cell of each block, the last one included."""
    for first in range(0, len(cells), size):
        yield first, min(first + size, len(cells)) - 1
