"""Whole studies with a store: the same numbers as without, whatever happens on the way."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from finished_runs import Run, numbers, times
from object_servers import BUCKET, FaultyServer, s3_server

from mixqual.object_store import ObjectStore
from mixqual.study import Study

pytestmark = pytest.mark.slow

_PATIENCE = 240.0  # seconds


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def stored_run(
    plain_run: Run, server: FaultyServer, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """The plain run once more, into a store that answers with errors for a while."""
    failed: list[tuple[str, str]] = []

    def fault(method: str, path: str) -> int | None:
        """Three tries of the first upload of a training, and two of its list of files, fail."""
        for word, count in (("state.safetensors", 3), ("finished/network-", 2)):
            if method == "PUT" and word in path and sum(word in p for _, p in failed) < count:
                failed.append((method, path))
                return 503
        return None

    server.fault = fault
    out = tmp_path_factory.mktemp("stored") / "out"
    results = Study.load(plain_run.study).run(out, store=f"s3://{BUCKET}/run")
    assert len(failed) == 5
    return Run(plain_run.study, out, results, times(out))


def trained(out: Path) -> set[str]:
    """The logs of trainings, whose names hold the time and the process."""
    return {path.name for path in (out / "artifacts").rglob("events.out.*")}


def test_a_store_that_fails_for_a_while_changes_no_number(
    plain_run: Run, stored_run: Run, server: FaultyServer
) -> None:
    assert numbers(stored_run.results) == numbers(plain_run.results)
    written = [path for method, path in server.seen if method == "PUT"]
    assert written[-1] == f"/{BUCKET}/run/results/tiny/results.json"
    made = {path.name for path in (stored_run.out / "artifacts").iterdir()}
    store = ObjectStore(f"s3://{BUCKET}/run")
    finished = {name.partition("/")[0].removesuffix(".json") for name in store.names("finished")}
    assert finished == made
    assert store.names("results/tiny") == [
        name for name in stored_run.times if not name.startswith(("artifacts", ".lock"))
    ]


def test_another_machine_trains_nothing_again(
    stored_run: Run, server: FaultyServer, tmp_path: Path
) -> None:
    server.seen.clear()
    results = Study.load(stored_run.study).run(tmp_path, store=f"s3://{BUCKET}/run")
    assert numbers(results) == numbers(stored_run.results)
    assert trained(tmp_path) == trained(stored_run.out) != set()
    uploaded = [path for method, path in server.seen if method == "PUT"]
    assert not [path for path in uploaded if "/artifacts/" in path or "/finished/" in path]


def test_damaged_objects_are_made_again(
    stored_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = ObjectStore(f"s3://{BUCKET}/run")
    key = stored_run.results["training"]["0"]["noise"]["artifact"]
    weights = f"artifacts/{key}/weights.safetensors"
    content = store.read(weights)
    store.write(weights, content[:-1] + bytes([content[-1] ^ 1]))
    cells = next(name for name in store.names("artifacts") if name.endswith("/1.npy"))
    store.write(f"artifacts/{cells}", b"")
    results = Study.load(stored_run.study).run(tmp_path, store=f"s3://{BUCKET}/run")
    told = capfd.readouterr().err
    assert f"{key} is not used, as its weights.safetensors is damaged" in told
    assert "its 1.npy is damaged" in told
    assert numbers(results) == numbers(stored_run.results)
    assert len(trained(tmp_path) - trained(stored_run.out)) == 1
    assert store.read(weights) == content


def test_a_run_killed_while_it_uploads_leaves_no_half_artifact(
    plain_run: Run, server: FaultyServer, tmp_path: Path
) -> None:
    uploading, over = threading.Event(), threading.Event()

    def fault(method: str, path: str) -> int | None:
        if method == "PUT" and path.endswith("weights.safetensors"):
            uploading.set()
            over.wait(_PATIENCE)
            return 503
        return None

    server.fault = fault
    url = f"s3://{BUCKET}/killed"
    command = [sys.executable, "-m", "mixqual", "run", str(plain_run.study), "--store", url]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "first"), "--reuse", str(plain_run.out)],
        stderr=subprocess.DEVNULL,
    )
    try:
        assert uploading.wait(_PATIENCE)
    finally:
        process.kill()
        process.wait()
        over.set()
    server.fails(0)
    store = ObjectStore(url)
    assert any(name.endswith("state.safetensors") for name in store.names("artifacts"))
    assert not [name for name in store.names("finished") if name.startswith("network-")]
    results = Study.load(plain_run.study).run(tmp_path / "second", store=url)
    assert numbers(results) == numbers(plain_run.results)
    assert trained(tmp_path / "second").isdisjoint(trained(plain_run.out))
