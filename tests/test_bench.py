"""Benchmarks on sizes so small that their ratios mean nothing: that they run, and say what."""

import json
import os

import pytest
from ended import Command

import mixqual
from mixqual import bench
from mixqual.bench import (
    benchmarks,
    cluster,
    distortions,
    executor,
    forward,
    run_benchmarks,
    service,
    sweep,
    training,
    trees,
)
from mixqual.bench.plain import plain_defaults
from mixqual.bench.timing import compare, compare_all
from mixqual.config import BackboneConfig, RuntimeConfig
from mixqual.errors import RunError, StudyError
from mixqual.executor import InOrder
from mixqual.networks import Sharing

pytestmark = pytest.mark.slow

TINY = "timm/test_efficientnet"


MEASURED_ELSEWHERE = {
    *(
        "artifacts",
        "backbones",
        "decode",
        "device",
        "epoch",
        "indexing",
        "memory",
        "mixture",
        "recipe",
        "scaling",
    ),
    *("startup", "tree_sweep"),
}
"""Benchmarks that run in tests of their own, in the folder `bench`."""

_TINY_STUDY = {
    **cluster._STUDY,
    "data": {"source": "elpv", "size": 32},
    "split": {"train": 8, "val": 2, "test": 2},
    "backbone": {"name": TINY, "weights": "random"},
    "distortions": {
        "gaussian_noise": {"max": 100.0, "steps": 2},
        "gaussian_blur": {"max": 10.0, "steps": 2},
    },
    "training": {"batch_size": 8, "max_epochs": 1},
    "gate": {"batch_size": 8, "max_epochs": 1},
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    left = tuple(name for name in benchmarks() if name not in MEASURED_ELSEWHERE)
    monkeypatch.setattr(bench, "benchmarks", lambda: left)
    monkeypatch.setattr(distortions, "_BATCH", 2)
    monkeypatch.setattr(distortions, "_CORRUPTED", 2)
    monkeypatch.setattr(distortions, "_SIDE", 40)
    tiny = BackboneConfig(name=TINY, weights="random")
    for name, value in (("_IMAGES", 4), ("_SIDE", 32), ("_FILE_SIDE", 40), ("_BATCH", 2)):
        monkeypatch.setattr(sweep, name, value)
    for name, value in (("_STEPS", 2), ("_CONFIG", tiny), ("BACKENDS", ("eager",))):
        monkeypatch.setattr(sweep, name, value)
    monkeypatch.setattr(sweep, "_REPETITIONS", 1)
    for name, value in (("_STUDY", _TINY_STUDY), ("_ROUNDS", 1), ("_CPUS", 1)):
        monkeypatch.setattr(cluster, name, value)
    # It starts five clusters; "executor" starts two as well.
    monkeypatch.setattr(cluster, "RayExecutor", lambda _: InOrder())
    monkeypatch.setattr(executor, "_FEW", 20)
    for name, value in (("_SIDE", 32), ("_BACKBONE", TINY), ("_PHOTOS", 4), ("_CLIENTS", 2)):
        monkeypatch.setattr(service, name, value)
    for name, value in (("_BATCHES", (2,)), ("_ROUNDS", 1), ("_SECONDS", 0.3)):
        monkeypatch.setattr(service, name, value)
    for name, value in (("_SIDE", 32), ("_BATCH", 2), ("_STEPS", 2)):
        monkeypatch.setattr(trees, name, value)
    for module in (forward, training):
        for name, value in (("_SIDE", 32), ("_BATCH", 2), ("_REPETITIONS", 2)):
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(forward, "_NETWORKS", (TINY,))
    monkeypatch.setattr(training, "_BACKBONE", TINY)
    monkeypatch.setattr(trees, "_TRAINED", (TINY, Sharing(until="blocks.3")))
    run = ((TINY, Sharing(until="blocks.3")), (TINY, Sharing(from_="blocks.3")))
    monkeypatch.setattr(trees, "_RUN", run)


def test_ratios_are_medians_of_pairs_that_are_timed_in_turn() -> None:
    calls: list[str] = []

    def run() -> None:
        calls.append("run")
        sum(range(20_000))

    def other() -> None:
        calls.append("other")
        sum(range(200_000))

    ratio = compare("few", run, "many", other, settings="ten times as many", repetitions=5)
    assert calls == ["run", "other"] * 6  # one to warm up
    assert ratio.low <= ratio.ratio <= ratio.high
    assert ratio.ratio < 0.5
    assert (ratio.what, ratio.against, ratio.repetitions) == ("few", "many", 5)


def test_each_is_compared_with_each_of_the_others() -> None:
    work = {count: lambda count=count: sum(range(count)) for count in (10_000, 100_000, 1_000_000)}
    found = compare_all(
        {"few": work[10_000], "more": work[100_000]},
        {"many": work[1_000_000], "few": work[10_000]},
        settings="",
        repetitions=5,
    )
    pairs = [(ratio.what, ratio.against) for ratio in found]
    assert pairs == [("few", "many"), ("few", "few"), ("more", "many"), ("more", "few")]
    ratios = dict(zip(pairs, found, strict=True))
    assert ratios["few", "many"].ratio < ratios["more", "many"].ratio < 0.5
    assert ratios["more", "few"].ratio > 2


def test_plain_passes_are_made_in_another_process_whose_end_is_noticed() -> None:
    body = "import os\ndef run():\n    sys.exit(3) if os.getpid() != {pid} else None\n"
    with (
        plain_defaults(body.format(pid=os.getpid()), TINY, classes=2, batch=1, side=16) as run,
        pytest.raises(RunError, match="has ended"),
    ):
        run()


@pytest.mark.usefixtures("small")
def test_all_others_run() -> None:
    results = run_benchmarks(None, RuntimeConfig(threads=1))
    assert {"version", "libraries", "device", "threads"} <= results["provenance"].keys()
    found = {(row["benchmark"], row["what"], row["against"].split()[0]) for row in results["rows"]}
    assert {
        ("distortions", "gaussian_blur", "scipy"),
        ("distortions", "gaussian_noise", "numpy"),
        ("distortions", "gaussian_noise", "floor:"),
        ("distortions", "jpeg", "pillow"),
        ("distortions", "downsampling", "torchvision"),
        *(
            ("forward", f"{TINY}, {backend}", against)
            for backend in ("eager", "compiled", "onnxruntime")
            for against in ("plain", "onnxruntime")
        ),
        ("cluster", "stages of a study by a Ray worker", "stages"),
        ("cluster", "test sweeps, seconds of 2 workers together", "of"),
        ("executor", "a stage on a Ray cluster of this machine", "bound:"),
        ("service", "an image from the service, one to a request", "the"),
        ("service", "the 99th percentile of latency at twice the load", "the"),
        ("service", "requests answered at twice the load", "what"),
        ("service", "private memory of the service after it", "before"),
        ("sweep", "sweep, eager", "floor:"),
        ("sweep", "sweep with decoding, eager", "torchvision"),
        ("training", f"training step of {TINY}", "plain"),
        ("trees", "training of tree_blocks.3", "floor:"),
        *(
            ("trees", f"{name} of {TINY}", against)
            for name in ("tree_blocks.3", "inverted_blocks.3")
            for against in ("one", "the", "floor:")
        ),
    } <= found
    for row in results["rows"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["settings"]


@pytest.mark.usefixtures("small")
def test_a_tree_s_time_is_set_against_its_macs() -> None:
    rows = [row for row in run_benchmarks("trees")["rows"] if row["what"].endswith(TINY)]
    costs = {
        (row["variant"], row["branch"]): row["macs"] for row in mixqual.cost(TINY, "4", size=32)
    }
    for times, against_macs, variant in (
        (rows[0], rows[1], "treenet"),
        (rows[3], rows[4], "inverted"),
    ):
        predicted = costs[variant, "blocks.3"] / costs["single", ""]
        assert against_macs["against"] == f"the ratio of MACs to one network, {predicted:.3f}"
        for figure in ("ratio", "low", "high"):
            assert against_macs[figure] * predicted == pytest.approx(times[figure], rel=1e-12)


@pytest.mark.usefixtures("small")
def test_one_of_them_is_printed_in_lines(command: Command) -> None:
    assert {
        row["what"] for row in json.loads(command("bench", "distortions", "--json").out)["rows"]
    } >= {"gaussian_blur", "gaussian_noise", "jpeg"}
    ended = command("bench", "distortions")
    assert ended.code == 0
    assert all(line.startswith("distortions: ") for line in ended.out.splitlines())
    assert "x scipy" in ended.out


def test_an_unknown_one_is_refused() -> None:
    assert benchmarks() == (
        "artifacts",
        "backbones",
        "cluster",
        "decode",
        "device",
        "distortions",
        "epoch",
        "executor",
        "forward",
        "indexing",
        "memory",
        "mixture",
        "recipe",
        "scaling",
        "service",
        "startup",
        "sweep",
        "training",
        "tree_sweep",
        "trees",
    )
    assert {*benchmarks()} > MEASURED_ELSEWHERE
    with pytest.raises(StudyError, match="unknown benchmark 'timing'; there are art"):
        run_benchmarks("timing")
