"""A study by its graph, stage by stage, ends as one that goes by its own order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import Run, numbers, times

from mixqual import workbench
from mixqual.backends import Accelerated
from mixqual.errors import RunError
from mixqual.evaluation import OutputArray
from mixqual.executor import InOrder, Perform, Watch
from mixqual.mirror import Mirror
from mixqual.object_store import ObjectStore
from mixqual.perform import describe_run, perform
from mixqual.runtime import set_up_machine
from mixqual.stage_graph import Stage, joined, study_stages
from mixqual.study import Study
from mixqual.workbench import Workbench

BY_GRAPH = ["runtime.cluster.cells=2"]


class InOrderAndSeen:
    """Notes what the folder of the run holds once all stages are through."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.files: dict[str, int] = {}

    def run(self, stages: Sequence[Stage], perform: Perform, watch: Watch) -> None:
        InOrder().run(stages, perform, watch)
        self.files = times(self._out / "artifacts")


def same_but_for_the_command(results: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in numbers(results).items() if key != "command"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tree_run", "leave_one_out"])
def test_stages_make_all_that_a_study_needs_with_the_same_bits(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """What trees need, and mixtures that never saw a distortion, on the networks of a plain run."""
    plain: Run = request.getfixturevalue("plain_run")
    more = ["evaluation.leave_one_out=true"] if kind == "leave_one_out" else []
    if kind == "tree_run":
        run: Run = request.getfixturevalue("tree_run")
        study, expected = run.study, run.results
    else:
        study = plain.study
        expected = Study.load(study, more).run(tmp_path / "expected", [plain.out])
    out = tmp_path / "out"
    seen = InOrderAndSeen(out)
    results = Study.load(study, [*more, *BY_GRAPH]).run(out, [plain.out], seen)
    assert same_but_for_the_command(results) == same_but_for_the_command(expected)
    # The study itself found everything made.
    assert times(out / "artifacts") == seen.files != {}


@pytest.mark.slow
def test_workers_with_a_folder_of_their_own_make_the_same_bits(
    tmp_path: Path, plain_run: Run, tree_run: Run
) -> None:
    """All they know of the leader's folder, and of an earlier run, went through the store."""
    scratch = tmp_path / "scratch"
    study = Study.load(tree_run.study, [*BY_GRAPH, f"runtime.cluster.scratch={scratch}"])
    out, store = tmp_path / "out", f"file://{tmp_path}/store"
    results = study.run(out, [plain_run.out], InOrder(), store)
    assert same_but_for_the_command(results) == same_but_for_the_command(tree_run.results)
    (node,) = scratch.iterdir()
    branches = {path.name for path in node.glob("artifacts/branch-*/tensorboard/*")}
    assert branches == {path.name for path in out.glob("artifacts/branch-*/tensorboard/*")} != set()
    old = {path.name for path in plain_run.out.glob("artifacts/network-*/tensorboard/*")}
    assert old == {path.name for path in out.glob("artifacts/network-*/tensorboard/*")}


def test_a_worker_makes_networks_ready_once_for_all_blocks_of_their_sweep(
    tmp_path: Path, plain_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = Study.load(plain_run.study).prepare()
    (tmp_path / "artifacts").mkdir()
    for kind in ("images", "split", "network"):
        for folder in plain_run.out.glob(f"artifacts/{kind}-*"):
            (tmp_path / "artifacts" / folder.name).symlink_to(folder)
    run = describe_run(Workbench.open(plan, tmp_path, set_up_machine(plan.config.runtime)), ())
    made = []
    accelerate = workbench.accelerate

    def counted(*arguments: Any) -> Accelerated:
        made.append(accelerate(*arguments))
        return made[-1]

    monkeypatch.setattr(workbench, "accelerate", counted)
    sweeps = [stage for stage in study_stages(plan, 2) if stage.kind == "sweep"]
    blocks, others, third = (
        [s for s in sweeps if s.arguments[0] == "val" and s.arguments[4] == name]
        for name in ("noise", "blur", "clean")
    )
    for stage in blocks:
        perform(run, stage)
    assert len(blocks) == 4
    assert len(made) == 1
    for pair in zip(others, third, strict=True):
        perform(run, joined(pair))
    assert len(made) == 3
    for trio in zip(blocks, others, third, strict=True):  # what is full needs no network
        perform(run, joined(trio))
    assert len(made) == 3
    for stage in (*blocks, *others, *third):
        name = stage.makes.partition(":")[0]
        found, expected = (
            OutputArray.reopen(root / "artifacts" / name) for root in (tmp_path, plain_run.out)
        )
        for cell in found.cells:
            assert np.array_equal(found.read(cell), expected.read(cell))


def test_a_stage_that_is_done_is_not_done_again(plain_run: Run) -> None:
    plan, _ = Study.load(plain_run.study).prepare()
    machine = set_up_machine(plan.config.runtime)
    bench = Workbench.open(plan, plain_run.out, machine)
    before = times(plain_run.out / "artifacts")
    for stage in study_stages(plan, 3):
        perform(describe_run(bench, ()), stage)
    assert times(plain_run.out / "artifacts") == before


def test_a_folder_that_nodes_do_not_share_is_refused(tmp_path: Path, plain_run: Run) -> None:
    plan, _ = Study.load(plain_run.study).prepare()
    bench = Workbench.open(plan, tmp_path / "elsewhere", set_up_machine(plan.config.runtime))
    with pytest.raises(RunError, match="elsewhere is not on every node; choose a folder that all"):
        perform(describe_run(bench, ()), study_stages(plan, 3)[0])


@pytest.mark.parametrize(
    ("scratch", "reason"), [("$NOT_SET/x", "a variable of it is not set"), ("/proc", "No such")]
)
def test_a_scratch_folder_that_a_node_cannot_have_is_refused(
    tmp_path: Path, plain_run: Run, scratch: str, reason: str
) -> None:
    plan, _ = Study.load(plain_run.study, [f"runtime.cluster.scratch={scratch}"]).prepare()
    mirror = Mirror(ObjectStore(f"file://{tmp_path}/store"))
    machine = set_up_machine(plan.config.runtime)
    run = describe_run(Workbench.open(plan, tmp_path, machine, mirror=mirror), ())
    with pytest.raises(RunError, match=rf"cannot be made on a node \({reason}.*cluster\.scratch"):
        perform(run, study_stages(plan, 3)[0])


def test_threads_are_the_cpus_of_a_stage_unless_the_study_says(
    tmp_path: Path, plain_run: Run
) -> None:
    machine = set_up_machine(Study.load(plain_run.study).config.runtime)
    for threads, cpus, expected in ((0, 3, 3), (1, 3, 1)):
        changes = [f"runtime.threads={threads}", f"runtime.cluster.cpus={cpus}"]
        plan, _ = Study.load(plain_run.study, changes).prepare()
        run = describe_run(Workbench.open(plan, tmp_path, machine), ())
        assert run.config.runtime.threads == expected
