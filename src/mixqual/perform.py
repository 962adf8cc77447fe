"""One stage of a study's graph, performed in any process that sees the run's folder."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from mixqual import stages
from mixqual.artifacts import key_of
from mixqual.config import StudyConfig
from mixqual.data import ImageSet
from mixqual.errors import RunError
from mixqual.mirror import Mirror
from mixqual.object_store import ObjectStore
from mixqual.plan import Plan
from mixqual.runtime import set_up_machine
from mixqual.split_sweep import fill_cells
from mixqual.stage_graph import Stage
from mixqual.stages import OptimalWeights
from mixqual.tree_plan import Tree, trees_of
from mixqual.tree_weights import resolve_weights
from mixqual.trees import fill_tree_cells, train_branch
from mixqual.workbench import Workbench

Sets = Mapping[str, ImageSet]


@final
@dataclass(frozen=True)
class Run:
    """What a worker has to know of a run; the rest is in the run's folder, or in its store."""

    config: StudyConfig = field(hash=False)  # it holds dictionaries
    images_fingerprint: str
    root: Path
    earlier: tuple[Path, ...]
    directory: Path
    """Where the run was started: relative paths of the study begin here."""
    store: str | None
    """Where artifacts are; then each node has a folder of its own, and `root` is the leader's."""


def describe_run(bench: Workbench, earlier: tuple[Path, ...]) -> Run:
    """The run of a workbench, for workers: each computes on as many threads as its CPUs.

    What it has of `earlier` runs is in its mirror already, if it has one.
    """
    config, here = bench.plan.config, Path.cwd()
    threads = config.runtime.threads or config.runtime.cluster.cpus
    runtime = config.runtime.model_copy(update={"threads": threads})
    return Run(
        config.model_copy(update={"runtime": runtime}),
        bench.plan.images_fingerprint,
        here / bench.store.root.parent,
        () if bench.mirror else tuple(here / run for run in earlier),
        here,
        bench.mirror.url if bench.mirror else None,
    )


def perform(run: Run, stage: Stage) -> None:
    """Make what a stage makes, unless it is there.

    The images have to be decoded and split, and what the stage needs has to be made.
    """
    bench, sets = _opened(run)
    if stage.kind != "sweep":
        bench.kept.clear()  # all memory is for this stage
    if stage.without is not None:
        plan = bench.plan.without(stage.without)
        assert plan is not None
        bench = replace(bench, plan=plan)
    _FUNCTIONS[stage.kind](bench, sets, *stage.arguments)


@lru_cache(maxsize=1)
def _opened(run: Run) -> tuple[Workbench, Sets]:
    """Set up this process for a run, once for all of its stages."""
    if run.directory.is_dir():
        os.chdir(run.directory)
    root, mirror = run.root, None
    if run.store:
        root, mirror = _node_folder(run), Mirror(ObjectStore(run.store))
    elif not root.is_dir():
        raise RunError(
            f"{root} is not on every node; choose a folder that all nodes share with --out, or "
            "give the run a --store"
        )
    plan = Plan(run.config, run.images_fingerprint)
    bench = Workbench.open(plan, root, set_up_machine(run.config.runtime), run.earlier, mirror)
    return bench, stages.open_sets(bench)


def _node_folder(run: Run) -> Path:
    """Where this node keeps what it makes and fetches for a run; it outlives the worker."""
    scratch = os.path.expandvars(run.config.runtime.cluster.scratch) or tempfile.gettempdir()
    key = key_of({"root": str(run.root), "store": run.store})
    folder = Path(scratch) / f"mixqual-{run.config.name}-{key}"
    try:
        if "$" in scratch:
            raise FileNotFoundError(0, "a variable of it is not set")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be made on a node ({error.strerror}); set runtime.cluster.scratch to "
            "a folder that every node can write to"
        ) from None
    return folder


def _train_gate(bench: Workbench, sets: Sets, seed: int) -> None:
    weights = stages.load_weights(bench, seed)
    stages.train_gate(bench, sets, weights, bench.plan.gate_key(seed), seed)


def _sweep(
    bench: Workbench, sets: Sets, split: str, seed: int, first: int, last: int, *names: str
) -> None:
    cells = bench.plan.cells(split)[first : last + 1]
    fill_cells(bench, sets, split, names, seed, cells)


def _train_branch(bench: Workbench, sets: Sets, number: int, name: str, seed: int) -> None:
    train_branch(bench, sets, trees_of(bench.plan)[number], name, seed)


def _solve_tree(bench: Workbench, sets: Sets, number: int, seed: int) -> None:
    _tree_weights(bench, sets, trees_of(bench.plan)[number], seed)


def _train_tree_gate(bench: Workbench, sets: Sets, number: int, seed: int) -> None:
    tree = trees_of(bench.plan)[number]
    weights = _tree_weights(bench, sets, tree, seed)
    stages.train_gate(bench, sets, weights, tree.gate_key(seed), seed, of=tree.name)


def _sweep_trees(
    bench: Workbench, sets: Sets, split: str, seed: int, first: int, last: int
) -> None:
    trees = trees_of(bench.plan)
    weights = {tree.name: _tree_weights(bench, sets, tree, seed) for tree in trees}
    cells = bench.plan.cells(split)[first : last + 1]
    fill_tree_cells(bench, sets, split, trees, weights, seed, cells)


def _tree_weights(bench: Workbench, sets: Sets, tree: Tree, seed: int) -> OptimalWeights:
    of_experts = stages.load_weights(bench, seed)
    if tree.config.weights == "reuse":
        return of_experts
    return resolve_weights(bench, sets, tree, of_experts, seed)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "network": stages.train_network,
    "sweep": _sweep,
    "weights": stages.solve_weights,
    "gate": _train_gate,
    "branch": _train_branch,
    "tree weights": _solve_tree,
    "tree gate": _train_tree_gate,
    "tree sweep": _sweep_trees,
}
