"""Leave one distortion out, against a study that never had the experts of that distortion."""

from pathlib import Path

import numpy as np
import pytest
from finished_runs import Run, run_study_file
from small_elpv import write_study

from mixqual.evaluation import auc_weights
from mixqual.plan import Plan
from mixqual.study_file import load_study_config

LEAVE_OUT = ("noise_draws = 2", "noise_draws = 2\nleave_one_out = true")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cells_folder: Path, plain_run: Run) -> Run:
    root = tmp_path_factory.mktemp("unseen")
    study = write_study(root / "tiny.toml", cells_folder, LEAVE_OUT)
    return run_study_file(study, root / "out", plain_run.out)


def test_each_distortion_has_a_mixture_of_the_experts_that_never_saw_it(run: Run) -> None:
    rows = {row["distortion"]: row["experts"] for row in run.results["unseen"]}
    assert rows == {
        "gaussian_noise": ["clean", "blur"],
        "gaussian_blur": ["clean", "noise"],
    }


def test_all_else_is_as_without_it(run: Run, plain_run: Run) -> None:
    for table in ("auc", "accuracy", "weights", "gate", "comparisons"):
        assert run.results[table] == plain_run.results[table]
    for row in run.results["unseen"]:
        for model in ("clean", "mix"):
            assert row["auc"][model] == run.results["auc"][model][row["distortion"]]


def test_the_mixture_is_that_of_a_study_without_those_experts(
    tmp_path: Path, cells_folder: Path, run: Run
) -> None:
    """The same numbers come from a study that has no expert for noise and a gate without it."""
    study = write_study(
        tmp_path / "tiny.toml",
        cells_folder,
        ("[experts.noise]\ndistort = { gaussian_noise = 0.5 }\n", ""),
        ("[gate]\n", "[gate]\ndistort = { gaussian_blur = 0.5 }\n"),
        ('[baselines.all_long]\ncontinues = "all"\npatience = 2\n', ""),
    )
    alone = run_study_file(study, tmp_path / "out", run.out)
    row = next(r for r in run.results["unseen"] if r["distortion"] == "gaussian_noise")
    assert alone.results["held_out"] == ["gaussian_noise"]
    assert row["accuracy"]["mix_unseen"] == alone.results["accuracy"]["mix"]["gaussian_noise"]
    assert row["auc"]["mix_unseen"] == alone.results["auc"]["mix"]["gaussian_noise"]
    assert alone.results["auc"]["mix"]["average"] == alone.results["auc"]["mix"]["gaussian_blur"]
    assert (
        alone.results["auc"]["mix"]["held_out_average"]
        == alone.results["auc"]["mix"]["gaussian_noise"]
    )


def test_areas_and_differences_follow_from_the_accuracies(run: Run) -> None:
    for row in run.results["unseen"]:
        levels = run.results["distortions"][row["distortion"]]["levels"]
        areas = {
            model: auc_weights(levels) @ np.array(list(accuracy.values()))
            for model, accuracy in row["accuracy"].items()
        }
        for model, area in areas.items():
            assert row["auc"][model]["auc"] == pytest.approx(area, abs=2e-6)
        for each in row["comparisons"]:
            assert each["delta"] == pytest.approx(areas[each["a"]] - areas[each["b"]], abs=4e-6)


def test_the_report_has_its_table(run: Run) -> None:
    page = (run.out / "table.md").read_text()
    assert "AUC on a distortion that no expert of the mixture has seen" in page
    lines = (run.out / "unseen.csv").read_text().splitlines()
    assert lines[0] == "distortion,model,auc,low,high,experts"
    assert len(lines) == 1 + 2 * 3


def test_a_plan_without_a_distortion_needs_two_experts(tmp_path: Path) -> None:
    study = write_study(tmp_path / "tiny.toml", tmp_path, LEAVE_OUT)
    both = "experts.blur.distort={gaussian_noise=0.25, gaussian_blur=0.25}"
    plan = Plan(load_study_config(study, [both]), "f00d")
    assert plan.without("gaussian_noise") is None
    assert list(plan.without_each) == ["gaussian_blur"]
    off = Plan(load_study_config(study, ["evaluation.leave_one_out=false"]), "f00d")
    assert off.without_each == {}
