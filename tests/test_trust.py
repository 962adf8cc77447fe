"""Trust in a run's answers, against the definitions worked out from its cube."""

import numpy as np
import pytest
from finished_runs import Run
from trees_by_hand import Opened, open_run

from mixqual.evaluation import Cube, measure, with_temperature
from mixqual.fusion import mix
from mixqual.split_sweep import sweep_split

EXPERTS = ["clean", "noise", "blur"]


@pytest.fixture(scope="module")
def opened(plain_run: Run) -> Opened:
    return open_run(plain_run.study, plain_run.out)


def honest(cube: Cube, temperature: float) -> list[np.ndarray]:
    return [
        with_temperature(mix(cube.read(cell, EXPERTS), cube.arrays["gate"].read(cell)), temperature)
        for cell in cube.cells
    ]


def test_thresholds_keep_what_they_promise_on_validation(plain_run: Run, opened: Opened) -> None:
    (told,) = plain_run.results["trust"]
    cube = sweep_split(opened.bench, opened.sets, "val", [*EXPERTS, "gate"], 0)
    p_VNK = np.stack(honest(cube, told["temperature"]))
    confidence_N, right_N = p_VNK.max(2).ravel(), (p_VNK.argmax(2) == cube.labels_N).ravel()
    usable_N, retake_N = confidence_N >= told["usable"], confidence_N < told["retake"]
    if usable_N.any():
        assert (~right_N[usable_N]).mean() <= 0.1
    if retake_N.any():
        assert (~right_N[retake_N]).mean() >= 0.5
    assert usable_N.any() or told["usable"] > 1
    labels_N = np.tile(cube.labels_N, len(cube.cells))
    losses = [
        measure(np.concatenate(honest(cube, told["temperature"] * factor)), labels_N)["nll"]
        for factor in (1.0, 0.9, 1.1)
    ]
    assert losses[0] <= min(losses) + 1e-9


def test_verdicts_and_risks_are_counted_on_the_test_images(plain_run: Run, opened: Opened) -> None:
    (told,) = plain_run.results["trust"]
    cube = sweep_split(opened.bench, opened.sets, "test", [*EXPERTS, "gate"], 0)
    for name, levels in opened.bench.plan.levels.items():
        places = [0, *(i for i, cell in enumerate(cube.cells) if cell.distortion == name)]
        assert len(places) == len(levels)
        p_VNK = np.stack(honest(cube, told["temperature"]))[places]
        confidence_VN, right_VN = p_VNK.max(2), p_VNK.argmax(2) == cube.labels_N
        usable_VN = confidence_VN >= told["usable"]
        retake_VN = (confidence_VN < told["retake"]) & ~usable_VN
        for verdict, of_VN in (("usable", usable_VN), ("retake", retake_VN)):
            row = told["verdicts"][name][verdict]
            assert row["share"] == pytest.approx(of_VN.mean(), abs=1e-6)
            if of_VN.any():
                assert row["error"] == pytest.approx((~right_VN[of_VN]).mean(), abs=1e-6)
        curve = told["risk_coverage"][name]
        assert curve["risk"][-1] == pytest.approx(1 - right_VN.mean(), abs=1e-6)
        nll = np.mean([measure(p_NK, cube.labels_N)["nll"] for p_NK in p_VNK])
        assert told["calibration"][name]["nll"][1] == pytest.approx(nll, abs=1e-6)
        for risk, ends in zip(curve["risk"], curve["ci95"], strict=True):
            assert ends is None or ends[0] - 1e-9 <= risk <= ends[1] + 1e-9
