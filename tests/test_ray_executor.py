"""Studies on a cluster of three nodes on this machine, some of which are killed in between."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import killable
import psutil
import pytest
import ray
from finished_runs import Run, numbers, run_study_file, times
from object_servers import BUCKET, FaultyServer, s3_server
from ray.cluster_utils import Cluster
from small_elpv import MODERN, write_study

from mixqual.__main__ import ending_in_words
from mixqual.config import ClusterConfig
from mixqual.errors import DataError, RunError
from mixqual.object_store import ObjectStore
from mixqual.ray_executor import RayExecutor
from mixqual.run_status import State, read_status
from mixqual.stage_graph import Stage

pytestmark = pytest.mark.slow

_PATIENCE = 240.0  # seconds; all of it takes a minute on a machine that does nothing else
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(server: FaultyServer) -> Iterator[Cluster]:
    """A head without CPUs, which notices in seconds that a node is gone, and three nodes.

    They find the object server by the variables that they start with.
    """
    # Seconds, not parts of one: on a busy machine a node that lives may be that slow to answer.
    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 10}
    head = {**_NODE, "num_cpus": 0, "include_dashboard": False, "_system_config": quick}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # or whatever else runs here comes first
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for number in range(3):
            cluster.add_node(**_NODE, env_vars={"NODE": f"node-{number}"})
        yield cluster
        cluster.shutdown()


def start(cluster: Cluster, study: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mixqual", "run", str(study), "--out", str(out), *more]
    return subprocess.Popen(
        [*command, "--executor", "ray", "--address", cluster.address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, errors[-3000:]


def wait_for(found: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What is found once something is, as long as the process runs."""
    limit = time.monotonic() + _PATIENCE
    while not (value := found()):
        assert process.poll() is None, "it ended before that"
        assert time.monotonic() < limit
        time.sleep(0.02)
    return value


def kill_node_with(title: str) -> bool:
    """Kill all processes of a node where such a stage runs, if one does, as a power cut would.

    Ray names a worker's process by its task; all of a node's are children of its raylet.
    """
    for worker in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if " ".join(worker.cmdline()).startswith(f"ray::{title}"):
                raylet = worker.parent()
                assert raylet is not None
                for process in [raylet, *raylet.children(recursive=True)]:
                    process.kill()
                return True
    return False


def results_of(out: Path) -> dict[str, Any]:
    """The numbers of a run; the command that makes it again names no executor but its settings."""
    results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {
        key: value for key, value in numbers(results).items() if key not in ("command", "checksum")
    }


def done(out: Path) -> int:
    return read_status(out).count("done") if (out / "status.json").exists() else 0


def test_nodes_that_die_in_training_and_in_the_sweep_change_no_number(
    tmp_path: Path, cells_folder: Path, cluster: Cluster
) -> None:
    longer = ("max_epochs = 2\n\n[gate]", "max_epochs = 20\n\n[gate]")
    patient = ("patience = 1\nmax_epochs = 20", "patience = 20\nmax_epochs = 20")
    study = write_study(tmp_path / "tiny.toml", cells_folder, longer, patient, MODERN)
    out = tmp_path / "out"
    process = start(cluster, study, out, "--set", "runtime.cluster.cells=4")
    wait_for(lambda: list(out.glob("artifacts/network-*.partial/state.safetensors")), process)
    wait_for(lambda: kill_node_with("train"), process)
    cluster.add_node(**_NODE, env_vars={"NODE": "node-3"})
    wait_for(lambda: kill_node_with("sweep"), process)
    end(process)
    tries = {stage.title: stage.tries for stage in read_status(out).stages}
    for word in ("train", "sweep"):
        again = [title for title, count in tries.items() if title.startswith(word) and count > 1]
        assert again, f"no {word} was tried again: {tries}"
    expected = run_study_file(study, tmp_path / "here")
    assert results_of(out) == results_of(expected.out)
    assert not list(out.rglob("*.partial"))


def test_a_run_whose_driver_dies_goes_on_with_the_same_numbers(
    tmp_path: Path, plain_run: Run, cluster: Cluster
) -> None:
    out = tmp_path / "out"
    process = start(cluster, plain_run.study, out)
    wait_for(lambda: done(out) >= 4, process)
    process.kill()
    process.communicate()
    status = read_status(out)
    assert not status.led
    assert status.count("done") < len(status.stages)
    before = {
        name: when
        for name, when in times(out / "artifacts").items()
        if name.startswith("network-") and ".partial/" not in name
    }
    assert before
    end(start(cluster, plain_run.study, out))
    assert results_of(out) == results_of(plain_run.out)
    after = times(out / "artifacts")
    assert {name: after[name] for name in before} == before
    status = read_status(out)
    assert status.count("done") == len(status.stages)


def test_nodes_that_share_only_an_object_store_make_the_same_numbers(
    tmp_path: Path, plain_run: Run, cluster: Cluster, server: FaultyServer
) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    settings = [f"runtime.cluster.scratch={scratch}/$NODE", "runtime.cluster.cells=4"]
    more = [word for setting in settings for word in ("--set", setting)]
    end(start(cluster, plain_run.study, out, *more, "--store", f"s3://{BUCKET}/run"))
    assert results_of(out) == results_of(plain_run.out)
    trained_on = [path.parts[-5] for path in scratch.glob("*/*/artifacts/network-*/tensorboard")]
    assert len(set(trained_on)) > 1, f"one node did all: {trained_on}"
    finished = ObjectStore(f"s3://{BUCKET}/run").names("finished")
    made = {path.name for path in (out / "artifacts").iterdir()}
    assert {name.partition("/")[0].removesuffix(".json") for name in finished} == made
    assert ("PUT", f"/{BUCKET}/run/results/tiny/results.json") in server.seen


def wait_on_ray(said: str) -> None:
    """Perform a stage that takes long on a cluster of one's own, for a process of its own."""
    with open(said, "w") as file:
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs the tests may ignore it
    os.environ.update(RAY_worker_niceness="0")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    stages = [Stage("long", "long", "waits", (str(Path(said).parent), 60))]
    with ending_in_words():
        RayExecutor(ClusterConfig()).run(stages, behave, Heard())


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "gcs_server"),  # the first of Ray's processes
        (signal.SIGTERM, "ray::long"),
    ],
)
def test_told_to_end_it_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    process = killable.start(wait_on_ray, str(tmp_path / "said"))
    leader, limit = psutil.Process(process.pid), time.monotonic() + _PATIENCE
    names: dict[psutil.Process, str] = {}
    try:
        while moment not in names.values():
            assert time.monotonic() < limit
            time.sleep(0.02)
            with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended
                names = {each: each.name() for each in leader.children(recursive=True)}
        leader.send_signal(number)
        process.join(_PATIENCE)
    finally:
        process.kill()
    assert process.exitcode == 128 + number
    assert (tmp_path / "said").read_text().endswith("run the same command again\n")
    _, left = psutil.wait_procs(names, timeout=10)
    assert not left


class Heard:
    """Remembers what it is told of stages."""

    def __init__(self) -> None:
        self.told: list[tuple[str, State, str]] = []

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        self.told.append((stage.title, state, reason))

    def tick(self) -> None:
        pass


def behave(stage: Stage) -> None:
    """A stage does what its kind says; its only argument is a folder for what it leaves."""
    folder = Path(str(stage.arguments[0]))
    tries = folder / f"{stage.makes}.tries"
    count = int(tries.read_text()) + 1 if tries.exists() else 1
    tries.write_text(str(count))
    if stage.kind == "mistake" or "bad" in stage.arguments:
        raise DataError("photos has no images; name another folder")
    if stage.kind == "fails" or (stage.kind == "passes" and count == 1):
        raise OSError(5, "Input/output error")
    if stage.kind == "dies" and count == 1:
        os._exit(1)
    if stage.kind == "waits":
        time.sleep(float(stage.arguments[1]) if stage.arguments[1:] else 0.5)


def run_and_tell(
    address: str, told: str, stages: Sequence[Stage], resources: dict[str, Any]
) -> None:
    """Run stages and write down what was heard of them, and an error."""
    heard, error = Heard(), ""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see tests
    try:
        RayExecutor(ClusterConfig(**resources), address).run(stages, behave, heard)
    except RunError as refusal:
        error = str(refusal)
    assert not ray.is_initialized()
    Path(told).write_text(json.dumps([heard.told, error]))


def run_on(
    address: str, told: Path, stages: Sequence[Stage], **resources: Any
) -> tuple[list[tuple[str, State, str]], str]:
    """What is heard of stages, and an error, of a process that Ray may end: it does so if lost."""
    process = killable.start(run_and_tell, address, str(told), stages, resources)
    process.join(_PATIENCE)
    assert process.exitcode == 0
    heard, error = json.loads(told.read_text())
    return heard, error


def test_failures_are_tried_again_unless_they_are_mistakes(
    tmp_path: Path, cluster: Cluster
) -> None:
    def stage(kind: str, *needs: str) -> Stage:
        return Stage(kind, kind, kind.partition(" ")[0], (str(tmp_path),), needs)

    stages = [
        *(stage("mistake"), stage("fails"), stage("passes"), stage("dies")),
        *(stage("works after it passed", "passes"), stage("works after it died", "dies")),
        *(stage("never after a mistake", "mistake"), stage("works")),
    ]
    heard, _ = run_on(cluster.address, tmp_path / "told", stages, retries=1)
    ends = {title: (state, reason) for title, state, reason in heard}
    failed = {title: reason for title, (state, reason) in ends.items() if state == "failed"}
    assert failed == {
        "mistake": "photos has no images; name another folder",
        "fails": "OSError: [Errno 5] Input/output error (tried 2 times)",
    }
    assert "never after a mistake" not in ends
    assert all(state == "done" for title, (state, _) in ends.items() if title not in failed)
    again = {title: reason for title, state, reason in heard if state == "again"}
    assert again.keys() == {"fails", "passes", "dies"}
    assert "died" in again["dies"] or "Crashed" in again["dies"]
    assert (tmp_path / "mistake.tries").read_text() == "1"


def test_stages_of_a_family_run_together_and_part_when_they_fail(
    tmp_path: Path, cluster: Cluster
) -> None:
    """What fails together is tried one by one, so that one mistake stops no other network."""

    def sweep(name: str, cells: str) -> Stage:
        title = f"sweep of val by {name}, cells {cells} to {cells} (seed 0)"
        arguments = (str(tmp_path), 0, cells, cells, name)
        return Stage(f"{name}:{cells}", title, "sweep", arguments)

    stages = [sweep(name, cells) for name in ("good", "bad", "fine") for cells in "0123"]
    heard, _ = run_on(cluster.address, tmp_path / "told", stages, retries=1)
    ends = {title: state for title, state, _ in heard}
    assert ends == {s.title: "failed" if "bad" in s.title else "done" for s in stages}
    tried = {path.stem: int(path.read_text()) for path in tmp_path.glob("*.tries")}
    together = [name for name in tried if "+" in name]
    assert together
    alone = {name for name in tried if "+" not in name and "bad" not in name}
    for name in together:
        names, _, cells = name.partition(":")
        parts = {f"{part}:{cells}" for part in names.split("+")}
        assert "bad" not in names or parts - {f"bad:{cells}"} <= alone
        assert tried[name] == 1


def test_what_waits_for_room_does_not_run(tmp_path: Path, cluster: Cluster) -> None:
    stages = [Stage(f"{n}", f"{n}", "waits", (str(tmp_path),)) for n in range(9)]
    heard, _ = run_on(cluster.address, tmp_path / "told", stages)
    states = [state for _, state, _ in heard]
    assert Counter(states) == {"running": 9, "done": 9}
    assert states[:1] == ["running"]
    assert states.index("done") <= 3  # nodes of one CPU


def test_a_stage_that_no_node_has_room_for_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    _, error = run_on(cluster.address, tmp_path / "told", [], gpus=0.5)
    assert error.startswith("no node of the Ray cluster has the 1 CPUs, 0.5 GPUs")


def test_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    _, error = run_on("127.0.0.1:1", tmp_path / "told", [])
    assert error.startswith("no Ray cluster at 127.0.0.1:1")
