"""What a run takes, against what one took, and what docs/scale.md counts."""

import re
from pathlib import Path

import pytest
from ended import Command
from finished_runs import Run
from torch import nn

from mixqual.config import StudyConfig
from mixqual.evaluation import kept_bytes
from mixqual.forecast import forecast
from mixqual.needs import Needs, NetworkSize, needs
from mixqual.plan import Plan
from mixqual.study import Study
from mixqual.study_file import parse_study_config

GIB, MIB = 2**30, 2**20
VGG16 = NetworkSize(weights=138_357_544 * 4, kept=75_000_000)
GATE = NetworkSize(weights=400_000, kept=10**6)


def study(**changes: object) -> StudyConfig:
    """Noise and blur at ten levels, three experts and two baselines, as docs/scale.md has it."""
    table = {
        "name": "large",
        "data": {"source": "folder", "path": "images", "size": 224},
        "backbone": {"name": "torchvision/vgg16"},
        "distortions": {"gaussian_noise": {"max": 100.0}, "gaussian_blur": {"max": 10.0}},
        "experts": {
            "clean": {},
            "noise": {"distort": {"gaussian_noise": 0.5}},
            "blur": {"distort": {"gaussian_blur": 0.5}},
        },
        "baselines": {
            "all": {"distort": {"gaussian_noise": 0.25, "gaussian_blur": 0.25}},
            "all_long": {"continues": "all"},
        },
    }
    return parse_study_config(table | changes)


def of(config: StudyConfig, classes: int, **sizes: int) -> Needs:
    return needs(Plan(config, "f00d"), sizes, classes, VGG16, GATE)


def test_the_disk_of_imagenet_is_what_the_document_counts() -> None:
    found = of(study(), 1000, train=1_231_167, val=50_000, test=50_000)
    decoded, cube, weights = 200.4e9, 72e9, (5 + 4) * 0.5534e9  # of five networks and a training
    assert found.disk == pytest.approx(decoded + cube + weights, rel=0.005)


def test_the_statistics_of_many_classes_are_bounded() -> None:
    """10,000 classes of 4 images took 19 GB when all cells were looked at together."""
    small = study(
        data={"source": "folder", "path": "images", "size": 16},
        distortions={
            "gaussian_noise": {"max": 100.0, "steps": 2},
            "gaussian_blur": {"max": 10.0, "steps": 2},
        },
    )
    sizes = {"train": 20_000, "val": 10_000, "test": 10_000}
    found = of(small, 10_000, **sizes).memory["statistics"]
    assert 1.5 * GIB < found < 4 * GIB
    assert of(small, 20_000, **sizes).memory["statistics"] < 6 * GIB  # a block is twice as wide
    finer = small.model_copy(update={"distortions": study().distortions})
    more = of(finer, 10_000, **sizes).memory["statistics"]  # in five times as many cells
    assert more - found < 0.1 * GIB


def test_resamples_are_counted() -> None:
    sizes = {"train": 100, "val": 40_000, "test": 60_000}
    few, many = (
        of(study(evaluation={"bootstrap": bootstrap}), 2, **sizes).memory["statistics"]
        for bootstrap in (1000, 100_000)
    )
    assert many - few == 99_000 * 100_000


def test_images_are_held_up_to_their_budget() -> None:
    sizes = {"train": 100_000, "val": 1000, "test": 1000}
    data = {"source": "folder", "path": "images", "size": 224}
    small, large = (
        of(study(data={**data, "memory_budget_mb": budget}), 2, **sizes).memory["training"]
        for budget in (100, 300)
    )
    assert large - small == 200 * MIB


@pytest.mark.parametrize("kind", ["plain_run", "tree_run"])
def test_a_run_took_no_more_disk_than_was_forecast(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: Run = request.getfixturevalue(kind)
    plan, index = Study.load(run.study).prepare()
    found = forecast(plan, index, tmp_path).needs.disk
    took = sum(path.stat().st_blocks * 512 for path in run.out.rglob("*"))
    assert took < found < took + 60 * MIB


def test_what_training_keeps_is_counted_by_hand() -> None:
    """A linear layer keeps its input; the ReLU before it keeps its output, which that is."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 50), nn.ReLU(), nn.Linear(50, 2))
    assert kept_bytes(network, 8) == 4 * (3 * 8 * 8 + 50)


def test_counting_leaves_a_network_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    kept_bytes(network, 8)
    for name, tensor in network.state_dict().items():
        assert tensor.equal(before[name]), name


def test_a_dry_run_says_it(command: Command, plain_run: Run, tmp_path: Path) -> None:
    ended = command("run", plain_run.study, "--dry-run", "--out", tmp_path / "out")
    assert "memory, at most about: training 1.3 GiB, sweeps 1.3 GiB, statistics 1.4" in ended.out
    assert re.search(r"disk, at most about: \d\d MiB$", ended.out, re.MULTILINE)
    assert all(line.startswith("checking images") for line in ended.err.splitlines())
