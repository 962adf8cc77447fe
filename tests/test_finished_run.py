"""What is found of a run in its folder, against the run itself."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from finished_runs import Run, read
from trees_by_hand import open_run

from mixqual.errors import RunError
from mixqual.finished_run import FinishedRun
from mixqual.workbench import load_network


def test_networks_are_those_that_the_study_trained(plain_run: Run) -> None:
    finished = FinishedRun.open(plain_run.out)
    bench = open_run(plain_run.study, plain_run.out).bench
    images_BCHW = 255 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert (finished.experts, finished.seeds, finished.size) == (
        ["clean", "noise", "blur"],
        [0],
        32,
    )
    for name in (*finished.experts, "all"):
        network = finished.network(name, 0)
        assert not network.training
        with torch.inference_mode():
            expected_BK = load_network(bench, 4, name, 0)(images_BCHW)
            torch.testing.assert_close(network(images_BCHW), expected_BK)


def test_branches_name_their_artifacts_too(tree_run: Run) -> None:
    told = tree_run.results["training"]["0"]
    for fit in told.values():
        weights = tree_run.out / "artifacts" / fit["artifact"] / "weights.safetensors"
        assert weights.is_file()
    assert len({fit["artifact"] for fit in told.values()}) == len(told)


@pytest.fixture
def copied(tmp_path: Path, plain_run: Run) -> Path:
    return shutil.copytree(plain_run.out, tmp_path / "copy")


class TestRefuses:
    def test_what_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match=r"holds no finished run: it has no results\.json"):
            FinishedRun.open(tmp_path)

    def test_results_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "results.json").write_text('{"models": ["resnet50"]}')
        with pytest.raises(
            RunError, match=r"results\.json is not what `mixqual run` writes: it lacks name"
        ):
            FinishedRun.open(tmp_path)

    def test_a_seed_that_was_not_run(self, plain_run: Run) -> None:
        with pytest.raises(RunError, match="no networks of seed 5; its seeds are 0"):
            FinishedRun.open(plain_run.out).network("clean", 5)

    def test_a_network_that_is_gone(self, copied: Path) -> None:
        finished = FinishedRun.open(copied)
        shutil.rmtree(copied / "artifacts" / finished.results.training["0"]["blur"].artifact)
        finished.network("noise", 0)
        with pytest.raises(
            RunError, match=r"network .blur. of seed 0 is not trained: .* is missing"
        ):
            finished.network("blur", 0)

    def test_results_of_an_earlier_version(self, copied: Path) -> None:
        results = read(copied)
        del results["training"]["0"]["clean"]["artifact"]
        (copied / "results.json").write_text(json.dumps(results))
        with pytest.raises(RunError, match="an earlier version wrote it; run the study again"):
            FinishedRun.open(copied).network("clean", 0)
