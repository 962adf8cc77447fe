"""What an executor is given, and what is said of stages that fail."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from finished_runs import Run

from mixqual.errors import RunError
from mixqual.executor import Frontier, Perform, Watch
from mixqual.fan_out import Journal, fan_out
from mixqual.run_status import read_status
from mixqual.runtime import set_up_machine
from mixqual.stage_graph import Stage, study_stages
from mixqual.study import Study
from mixqual.workbench import Workbench


def open_bench(study: Path, out: Path, earlier: Sequence[Path] = ()) -> Workbench:
    plan, _ = Study.load(study).prepare()
    return Workbench.open(plan, out, set_up_machine(plan.config.runtime), earlier)


SETS = {"train": range(40), "val": range(16), "test": range(24)}


class Failing:
    """Performs nothing: stages with a word in their title fail, all others are taken as done."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.given: list[Stage] = []

    def run(self, stages: Sequence[Stage], perform: Perform, watch: Watch) -> None:
        self.given = list(stages)
        frontier = Frontier(stages)
        while (stage := frontier.take()) is not None:
            watch.note(stage, "running")
            if self.word in stage.title:
                watch.note(stage, "again", "OSError: once")
                watch.note(stage, "running")
                watch.note(stage, "failed", "OSError: for good")
            else:
                watch.note(stage, "done")
                frontier.done(stage)


def test_a_failed_expert_stops_what_needs_it_and_nothing_else(
    tmp_path: Path, plain_run: Run
) -> None:
    bench = open_bench(plain_run.study, tmp_path)
    with pytest.raises(RunError) as raised:
        fan_out(Failing("train blur"), bench, SETS)
    # The fair baseline needs all experts; weights and gate need them, too, and the sweeps those.
    assert str(raised.value) == (
        f"{tmp_path}: 10 of 19 stages are missing (missing.md lists them). train blur (seed 0): "
        "OSError: for good. 9 others need what failed. All else is done and kept; run the same "
        "command again to go on"
    )
    states = {stage.title: stage for stage in read_status(tmp_path).stages}
    assert states["train blur (seed 0)"].state == "failed"
    assert states["train blur (seed 0)"].tries == 2
    for name in ("train noise", "train all", "sweep of val by noise, cells 0 to 6"):
        assert states[f"{name} (seed 0)"].state == "done"
    for name in ("train all_long", "solve weights", "train gate"):
        assert states[f"{name} (seed 0)"].state == "blocked"
    lines = (tmp_path / "missing.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"## What {tmp_path.name} lacks: 10 of 19 stages"
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines[4:] if line]
    told = [(s.title, s.state, s.reason) for s in states.values() if s.state != "done"]
    assert rows == told
    assert ("train gate (seed 0)", "blocked", "needs: solve weights (seed 0)") in rows
    fan_out(Failing("nothing"), bench, SETS)
    assert not (tmp_path / "missing.md").exists()


def link_artifacts(run: Run, out: Path, pattern: str) -> None:
    """Take artifacts of a run over into another folder."""
    (out / "artifacts").mkdir(exist_ok=True)
    for folder in run.out.glob(f"artifacts/{pattern}"):
        (out / "artifacts" / folder.name).symlink_to(folder)


def test_what_is_made_is_not_given_again(plain_run: Run, tmp_path: Path) -> None:
    link_artifacts(plain_run, tmp_path, "network-*")
    executor = Failing("nothing")
    bench = open_bench(plain_run.study, tmp_path)
    fan_out(executor, bench, SETS)
    everything = study_stages(bench.plan, bench.plan.config.runtime.cluster.cells)
    assert executor.given == [stage for stage in everything if stage.kind != "network"]
    states = read_status(tmp_path).stages
    assert {stage.state for stage in states} == {"done"}
    assert {stage.kind for stage in states if stage.seconds is None} == {"network"}


def test_nothing_of_a_finished_run_is_given_again(plain_run: Run, tmp_path: Path) -> None:
    link_artifacts(plain_run, tmp_path, "*")
    executor = Failing("nothing")
    fan_out(executor, open_bench(plain_run.study, tmp_path), SETS)
    assert executor.given == []


def test_what_is_damaged_is_given_again_and_nothing_else(plain_run: Run, tmp_path: Path) -> None:
    link_artifacts(plain_run, tmp_path, "*")
    bench = open_bench(plain_run.study, tmp_path)
    gate = f"gate-{bench.plan.gate_key(0)}"
    outputs = bench.plan.outputs_folder("noise", "test", 0)
    for name, part in ((gate, "weights.safetensors"), (outputs, "c/2/0/0")):
        (tmp_path / "artifacts" / name).unlink()
        shutil.copytree(plain_run.out / "artifacts" / name, tmp_path / "artifacts" / name)
        (tmp_path / "artifacts" / name / part).write_bytes(b"damaged")
    executor = Failing("nothing")
    fan_out(executor, bench, SETS)
    assert [stage.makes.partition(":")[0] for stage in executor.given] == [gate, outputs]


def test_what_runs_when_the_leader_ends_is_left(tmp_path: Path) -> None:
    stages = [Stage(name, name, "any", ()) for name in ("a", "b", "c")]
    work = dict.fromkeys("abc", 1.0)
    journal = Journal(tmp_path, stages, stages, work, lambda steps, note="": None)
    for stage in stages[:2]:
        journal.note(stage, "running")
    journal.note(stages[0], "done")
    journal.close()
    assert [stage.state for stage in read_status(tmp_path).stages] == ["done", "left", "left"]
    journal.refuse_failures()


def test_a_stage_whose_worker_dies_before_it_begins_has_taken_no_time(tmp_path: Path) -> None:
    stages = [Stage("a", "a", "any", ())]
    journal = Journal(tmp_path, stages, stages, {"a": 1.0}, lambda steps, note="": None)
    journal.note(stages[0], "again", "WorkerCrashedError: gone")
    journal.close()
    (status,) = read_status(tmp_path).stages
    assert (status.state, status.seconds, status.tries) == ("left", None, 0)


def test_what_is_noted_right_after_a_writing_is_written_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixqual.fan_out._WRITE_EVERY", 0.2)
    stages = [Stage("a", "a", "any", ())]
    journal = Journal(tmp_path, stages, stages, {"a": 1.0}, lambda steps, note="": None)
    journal.note(stages[0], "running")
    journal.tick()
    assert read_status(tmp_path).count("running") == 0
    time.sleep(0.3)
    journal.tick()
    assert read_status(tmp_path).count("running") == 1
    journal.close()
