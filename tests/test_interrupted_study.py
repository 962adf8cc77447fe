"""Killed with SIGKILL and run again, a study ends with the same numbers, bit for bit."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from finished_runs import Finished, Run, artifacts, numbers, read
from killable import run_study, start

from mixqual.errors import RunError
from mixqual.study import Study

pytestmark = pytest.mark.slow


def kill_when(begun: str, study: Path, out: Path, *earlier: Path) -> None:
    """Run a study, and kill it as soon as it has an artifact of such a name."""
    assert not any((out / "artifacts").glob(begun))
    process = start(run_study, str(study), str(out), -1.0, *map(str, earlier))
    deadline = time.monotonic() + 60
    while not any((out / "artifacts").glob(begun)) and time.monotonic() < deadline:
        assert process.exitcode is None, "it ended before it could be killed"
        time.sleep(0.001)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not (out / "results.json").exists()


@pytest.mark.parametrize(("seed", "interval"), [(0, -1.0), (1, 60.0)])
def test_killed_at_random_moments(
    tmp_path: Path, finished: Finished, seed: int, interval: float
) -> None:
    study, _, results = finished
    moments = random.Random(seed)
    kills = 0
    for attempt in range(9):
        process = start(run_study, str(study), str(tmp_path / "out"), interval)
        # The last one may end, however busy the machine is.
        process.join(0.15 + 0.2 * attempt * moments.random() if attempt < 8 else 300)
        if process.exitcode is not None:
            break
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert kills >= 3
    assert numbers(read(tmp_path / "out")) == numbers(results)
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_killed_whenever_a_stage_begins(tmp_path: Path, finished: Finished) -> None:
    study, _, results = finished
    out = tmp_path / "out"
    for begun in (
        *("images-*", "network-*.partial/state.safetensors"),
        *("outputs-*/c/2", "gate-*.partial"),
    ):
        kill_when(begun, study, out)
    assert numbers(Study.load(study).run(out)) == numbers(results)


def test_killed_while_it_makes_trees(tmp_path: Path, tree_run: Run, plain_run: Run) -> None:
    out = tmp_path / "out"
    for begun in ("branch-*.partial/state.safetensors", "tree-weights-*.partial/*.json"):
        kill_when(begun, tree_run.study, out, plain_run.out)
    again = Study.load(tree_run.study).run(out, [plain_run.out])
    assert numbers(again) == numbers(tree_run.results)
    assert artifacts(out) == artifacts(tree_run.out)


def test_a_killed_command_frees_the_folder_that_it_kept_for_itself(
    tmp_path: Path, finished: Finished
) -> None:
    study, _, results = finished
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mixqual", "run", str(study), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 60
            while not any((out / "artifacts").glob("network-*")) and time.monotonic() < deadline:
                time.sleep(0.01)
            with pytest.raises(RunError, match="is in use by another run"):
                Study.load(study).run(out)
        finally:
            process.kill()
    assert not (out / "results.json").exists()
    # A lock dies with its process.
    assert numbers(Study.load(study).run(out)) == numbers(results)


def test_a_missing_artifact_is_made_again(tmp_path: Path, finished: Finished) -> None:
    study, finished_out, results = finished
    out = shutil.copytree(finished_out, tmp_path / "out")
    (folder,) = (out / "artifacts").glob("weights-*")
    shutil.rmtree(folder)
    array = sorted((out / "artifacts").glob("outputs-*"))[0]
    shutil.rmtree(array / "c" / "1")
    assert numbers(Study.load(study).run(out)) == numbers(results)
