"""Trust in a run's answers, against the definitions worked out from its cube."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import Run
from numpy.typing import NDArray
from small_elpv import write_study
from trees_by_hand import Opened, open_run

from mixqual.evaluation import (
    Bootstrap,
    Cell,
    Cube,
    OutputArray,
    Predicted,
    measure,
    with_temperature,
)
from mixqual.fusion import mix
from mixqual.plan import Plan
from mixqual.split_sweep import sweep_split
from mixqual.study_file import load_study_config
from mixqual.trust import trust

EXPERTS = ["clean", "noise", "blur"]


def told_of(run: Run, model: str) -> dict[str, Any]:
    (row,) = (row for row in run.results["trust"] if row["model"] == model)
    return row


@pytest.fixture(scope="module")
def opened(plain_run: Run) -> Opened:
    return open_run(plain_run.study, plain_run.out)


def honest(cube: Cube, temperature: float) -> list[np.ndarray]:
    return [
        with_temperature(mix(cube.read(cell, EXPERTS), cube.arrays["gate"].read(cell)), temperature)
        for cell in cube.cells
    ]


def test_thresholds_keep_what_they_promise_on_validation(plain_run: Run, opened: Opened) -> None:
    told = told_of(plain_run, "mix")
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
    told = told_of(plain_run, "mix")
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


# Trees


@pytest.fixture(scope="module")
def opened_trees(tree_run: Run) -> Opened:
    return open_run(tree_run.study, tree_run.out)


def said_by(opened: Opened, tree: str, split: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What a tree says under its gate, from its array: every cell and image, and the true classes.

    Of test images its ceiling stands beside it.
    """
    images, plan = opened.sets[split], opened.bench.plan
    path = opened.bench.store.root / opened.trees[tree].outputs_folder(split, 0)
    array = OutputArray(path, len(images), 4 if split == "val" else 8)
    cells = plan.val_cells if split == "val" else plan.test_cells
    p_VNK = np.stack([array.read(cell)[:, :4] for cell in cells]).astype(np.float64)
    return p_VNK, images.labels_N.numpy()


def softened(p_VNK: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    log_VNK = np.log(np.maximum(p_VNK, 1e-12)) / temperature
    return np.exp(log_VNK) / np.exp(log_VNK).sum(2, keepdims=True)


NETWORKS = ["clean", "noise", "blur", "all", "all_long"]
HIGHEST = 0.999 * np.exp(4)  # where the search ends: an expert that knows less than nothing


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_judged_by_its_own_answers(plain_run: Run, opened: Opened, name: str) -> None:
    """By hand, from what stands in its arrays of both splits."""
    told, plan = told_of(plain_run, name), opened.bench.plan
    said = {}
    for split in ("val", "test"):
        folder = opened.bench.store.root / plan.outputs_folder(name, split, 0)
        array = OutputArray(folder, len(opened.sets[split]), 4)
        p_VNK = np.stack([array.read(cell) for cell in plan.cells(split)]).astype(np.float64)
        said[split] = p_VNK, opened.sets[split].labels_N.numpy()
    check_judgement(told, *said["val"], *said["test"])
    accuracy = plain_run.results["accuracy"][name]["gaussian_noise"]["0"]
    clean_NK, truth_N = said["test"][0][0], said["test"][1]
    assert accuracy == pytest.approx((clean_NK.argmax(1) == truth_N).mean(), abs=1e-6)


def test_m_mix_is_told_of_first_then_networks_and_every_tree(tree_run: Run, plain_run: Run) -> None:
    rows = tree_run.results["trust"]
    trees = [tree["model"] for tree in tree_run.results["trees"]]
    assert len(trees) == 4
    controls = tree_run.results["controls"]
    assert len(controls) == 2
    models = ["mix", *NETWORKS, *trees, *controls]
    assert [(row["model"], row["seed"]) for row in rows] == [(model, 0) for model in models]
    assert rows[:6] == plain_run.results["trust"]  # the same networks, whatever is beside them
    one_less = 1  # the longer training of the tiny study ends where the shorter one did
    assert len({row["temperature"] for row in rows}) >= len(rows) - one_less


def test_a_tree_is_judged_by_its_own_answers(tree_run: Run, opened_trees: Opened) -> None:
    trees = [tree["model"] for tree in tree_run.results["trees"]]
    for told in (told_of(tree_run, tree) for tree in trees):
        val, (test_VNK, truth_N) = (
            said_by(opened_trees, told["model"], split) for split in ("val", "test")
        )
        check_judgement(told, *val, test_VNK, truth_N)
        accuracy = tree_run.results["accuracy"][told["model"]]["gaussian_noise"]["0"]
        right_N = test_VNK[0].argmax(1) == truth_N
        assert accuracy == pytest.approx(right_N.mean(), abs=1e-6)


def check_judgement(
    told: dict[str, Any],
    val_VNK: NDArray[np.float64],
    labels_N: NDArray[np.int64],
    test_VNK: NDArray[np.float64],
    truth_N: NDArray[np.int64],
) -> None:
    """By hand: softmax of logarithms, and counts above and below each border."""
    temperature = told["temperature"]
    losses = [
        -np.log(
            softened(val_VNK, factor * temperature)[:, np.arange(len(labels_N)), labels_N]
        ).mean()
        for factor in (1.0, 0.99, *([1.01] if temperature < HIGHEST else []))
    ]
    assert losses[0] == min(losses)
    sure_VN = softened(val_VNK, temperature).max(2)
    wrong_VN = val_VNK.argmax(2) != labels_N
    # A border is an answer of the validation images, the last that keeps the promise.
    for sure in np.unique(sure_VN):
        kept = wrong_VN[sure_VN >= sure]
        assert kept.mean() > 0.1 or sure >= told["usable"] - 1e-12
    if told["usable"] <= 1:
        assert wrong_VN[sure_VN >= told["usable"] - 1e-12].mean() <= 0.1
    if told["retake"] > 0:
        assert wrong_VN[sure_VN < told["retake"] - 1e-12].mean() >= 0.5

    sure_VN, wrong_VN = softened(test_VNK, temperature).max(2), test_VNK.argmax(2) != truth_N
    usable_VN = sure_VN >= told["usable"]
    retake_VN = (sure_VN < told["retake"]) & ~usable_VN
    shares = told["verdicts"]["average"]
    for verdict, of_VN in (
        ("usable", usable_VN),
        ("doubtful", ~usable_VN & ~retake_VN),
        ("retake", retake_VN),
    ):
        assert shares[verdict]["share"] == pytest.approx(of_VN.mean(), abs=1e-6)
        error = wrong_VN[of_VN].mean() if of_VN.any() else None
        assert shares[verdict]["error"] == pytest.approx(error, abs=1e-6)


def test_any_model_is_judged_by_what_it_says(tmp_path: Path) -> None:
    """One that is twice as sure as it should be, in every class of verdict."""
    plan = Plan(load_study_config(write_study(tmp_path / "t.toml", tmp_path / "none")), "f00d")
    generator, images = np.random.default_rng(7), 500
    labels_N = generator.integers(0, 4, images)

    def said(cells: list[Cell]) -> Predicted:
        """Answers whose truth has the probabilities to the power of a half, so that T is 2."""
        honest_VNK = generator.dirichlet([0.4] * 4, (len(cells), images))
        for place, p_NK in enumerate(honest_VNK):
            drawn_N = (p_NK.cumsum(1) > generator.random((images, 1))).argmax(1)
            shift_N = labels_N - drawn_N  # turned so that what is drawn is the true class
            columns_NK = (np.arange(4) - shift_N[:, None]) % 4
            honest_VNK[place] = np.take_along_axis(p_NK, columns_NK, 1)
        sure_VNK = honest_VNK**2 / (honest_VNK**2).sum(2, keepdims=True)
        return Predicted(
            cells, labels_N, sure_VNK.shape[2], lambda cell, part: sure_VNK[cells.index(cell)][part]
        )

    val, test = said(plan.val_cells), said(plan.test_cells)
    told = trust(plan, "some_tree", 3, val, test, Bootstrap.draw(images, 50, 0))
    assert (told["model"], told["seed"]) == ("some_tree", 3)
    assert told["temperature"] == pytest.approx(2, rel=0.05)  # of 3500 draws
    found = told["verdicts"]["average"]
    assert all(row["share"] > 0.05 for row in found.values())
    assert found["usable"]["error"] == pytest.approx(0.1, abs=0.03)
    assert found["retake"]["error"] == pytest.approx(0.5, abs=0.06)
    assert told["calibration"]["average"]["ece"][1] < told["calibration"]["average"]["ece"][0]


def at_random(plan: Plan, classes: int, images: int, part_bytes: int) -> list[Predicted]:
    """A model that answers at random, none of whose answers is kept, on both splits."""
    labels_N = np.arange(images) % classes
    generator = np.random.default_rng(0)
    rows_RK = generator.random((64, classes), np.float32) ** 8
    sure_N = 3 * generator.random(images, np.float32)

    def read(cell: Cell, part: slice) -> NDArray[np.float32]:
        numbers_B = np.arange(part.start, part.stop)
        p_BK = rows_RK[(numbers_B + round(7 * cell.level) + cell.draw) % 64]
        p_BK[np.arange(len(p_BK)), labels_N[part]] += sure_N[part] / np.float32(1 + cell.level)
        p_BK /= p_BK.sum(1, keepdims=True)
        return p_BK

    cells = (plan.val_cells, plan.test_cells)
    return [Predicted(of, labels_N, classes, read, part_bytes) for of in cells]


@pytest.fixture(scope="module")
def small_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    root = tmp_path_factory.mktemp("study")
    return Plan(load_study_config(write_study(root / "t.toml", root / "none")), "f00d")


@pytest.mark.parametrize(("part_bytes", "held_bytes"), [(1, 0), (4 * 7 * 13, 10_000), (1, 2**30)])
def test_the_parts_of_a_set_change_no_number(
    small_plan: Plan, part_bytes: int, held_bytes: int
) -> None:
    bootstrap = Bootstrap.draw(50, 50, 0)
    whole = trust(small_plan, "mix", 0, *at_random(small_plan, 7, 50, 2**26), bootstrap)
    parts = at_random(small_plan, 7, 50, part_bytes)
    assert trust(small_plan, "mix", 0, *parts, bootstrap, held_bytes=held_bytes) == whole


def test_memory_is_that_of_parts_whatever_the_images_and_classes(small_plan: Plan) -> None:
    """Answers of 8 MB on validation images are judged in parts of 32 KiB."""
    splits = at_random(small_plan, 1000, 300, part_bytes=2**15)
    bootstrap = Bootstrap.draw(300, 50, 0)
    tracemalloc.start()
    trust(small_plan, "mix", 0, *splits, bootstrap, held_bytes=2**18)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(small_plan.val_cells) * 4 * 1000 * 300 > 8e6
    assert peak < 2e6
