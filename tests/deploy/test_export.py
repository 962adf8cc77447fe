"""A bundle answers like the run that it was taken from, whatever its experts share."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finished_runs import Run, read, run_study_file
from small_elpv import with_trees, write_study
from torch import Tensor
from trees_by_hand import Opened, distorted, experts_of, mixed, open_run, saved

import mixqual
from mixqual.deploy import Predictor
from mixqual.errors import RunError
from mixqual.evaluation import with_temperature
from mixqual.fusion import mix
from mixqual.networks import Gate, Preprocessing
from mixqual.split_sweep import sweep_split
from mixqual.training.checkpoints import save_tensors
from mixqual.workbench import untrained_gate

TREES = {
    "tree_blocks.2": None,
    "inverted_blocks.2": "blocks.2",
    "tree_blocks.1_inverted_conv_head_resolved": "conv_head",
    "tree_blocks.2_resolved": None,
}
"""Mixtures of the tiny study, with the stage from which they share."""


@pytest.fixture(scope="module")
def opened(tree_run: Run) -> Opened:
    return open_run(tree_run.study, tree_run.out)


def told_of(run: Run, model: str) -> dict[str, Any]:
    """What the results say of the verdicts of a mixture."""
    (row,) = (row for row in run.results["trust"] if row["model"] == model)
    return row


def answers(predictor: Predictor, images_BCHW: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (B, K) and weights (B, E)."""
    found = predictor.predict_pixels(images_BCHW)
    p_BK = np.array([list(each.probabilities.values()) for each in found])
    return p_BK, np.array([list(each.weights.values()) for each in found])


def test_it_answers_like_the_sweep_of_the_run(
    tree_run: Run, opened: Opened, tmp_path: Path
) -> None:
    predictor = mixqual.load(mixqual.export(tree_run.out, tmp_path / "mix", model="mix").path)
    experts, told = ["clean", "noise", "blur"], told_of(tree_run, "mix")
    cube = sweep_split(opened.bench, opened.sets, "test", [*experts, "gate"], 0)
    for cell in (cube.cells[0], cube.cells[2], cube.cells[-1]):
        p_NK, w_NE = answers(predictor, distorted(opened, "test", cell))
        expected_NE = cube.arrays["gate"].read(cell)
        mixed_NK = mix(cube.read(cell, experts), expected_NE)
        honest_NK = with_temperature(mixed_NK, told["temperature"])
        np.testing.assert_allclose(p_NK, honest_NK, atol=1e-4)
        np.testing.assert_allclose(w_NE, expected_NE, atol=1e-4)


@pytest.mark.parametrize("model", TREES)
def test_trees_answer_like_their_whole_networks(
    tree_run: Run, opened: Opened, tmp_path: Path, model: str
) -> None:
    predictor = mixqual.load(mixqual.export(tree_run.out, tmp_path / "tree", model=model).path)
    check_tree(tree_run, opened, predictor, model)


def check_tree(run: Run, opened: Opened, predictor: Predictor, model: str) -> None:
    tree = opened.trees[model]
    gate = untrained_gate(opened.bench, 0)
    gate.load_state_dict(saved(opened, "gate", tree.gate_key(0)))
    for cell in opened.bench.plan.test_cells[:4:3]:
        images_BCHW = distorted(opened, "test", cell)
        with torch.inference_mode():
            weights_BE = gate(images_BCHW)
        expected_BK = mixed(experts_of(opened, tree), TREES[model], images_BCHW, weights_BE)
        honest_BK = (expected_BK.log() / told_of(run, model)["temperature"]).softmax(1)
        p_BK, w_BE = answers(predictor, images_BCHW)
        np.testing.assert_allclose(p_BK, honest_BK.numpy(), atol=1e-4)
        np.testing.assert_allclose(w_BE, weights_BE.numpy(), atol=1e-4)


def test_the_clean_expert_may_have_any_name_and_place(tmp_path: Path, cells_folder: Path) -> None:
    """Listed last, under another name, behind one that is called clean."""
    tree = '\n[[sharing]]\nfrom = "blocks.2"\n'
    changes = [
        ("[experts.clean]\n", ""),
        ("[experts.noise]", "[experts.clean]"),
        ("[baselines.all]", "[experts.sharp]\n\n[baselines.all]"),
        with_trees(tree),
    ]
    run = run_study_file(write_study(tmp_path / "s.toml", cells_folder, *changes), tmp_path / "out")
    assert run.results["experts"] == ["clean", "blur", "sharp"]
    assert run.results["clean"] == "sharp"
    said = mixqual.report.headline(run.results)
    assert "that of M_sharp (" in said
    assert "that of M_clean (" not in said
    opened = open_run(run.study, run.out)
    exported = mixqual.export(run.out, tmp_path / "tree", model="inverted_blocks.2")
    assert exported.manifest.clean == "sharp"
    check_tree(run, opened, mixqual.load(exported.path), "inverted_blocks.2")


def test_the_manifest_tells_what_the_results_do(tree_run: Run, tmp_path: Path) -> None:
    results = tree_run.results
    manifest = mixqual.export(tree_run.out, tmp_path / "b", model="inverted_blocks.2").manifest
    assert (manifest.until, manifest.from_) == (None, "blocks.2")
    assert (
        manifest.auc["inverted_blocks.2"] == (results["auc"]["inverted_blocks.2"]["average"]["auc"])
    )
    assert manifest.distortions.keys() == results["distortions"].keys()
    assert manifest.gray_noise  # the cells are grayscale files
    noise = manifest.distortions["gaussian_noise"]
    assert list(noise.levels) == results["distortions"]["gaussian_noise"]["levels"]
    rows = results["weights"]["gaussian_noise"].values()
    assert [list(row) for row in noise.weights] == [list(row.values()) for row in rows]


def test_the_threshold_is_the_one_of_the_study(tree_run: Run, tmp_path: Path) -> None:
    chosen = tree_run.results["conditional"]["chosen"]
    found = mixqual.export(tree_run.out, tmp_path / "mix", model="mix").manifest.threshold
    assert found is not None
    told = (found.tau, found.experts, found.auc)
    assert told == (chosen["tau"], chosen["experts"], chosen["auc"])
    tree = mixqual.export(tree_run.out, tmp_path / "tree", model="tree_blocks.2").manifest
    assert tree.threshold is None


def test_without_a_chosen_threshold_it_has_none(plain_run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    results = read(copy)
    del results["conditional"]
    (copy / "results.json").write_text(json.dumps(results))
    manifest = mixqual.export(copy, tmp_path / "mix", model="mix").manifest
    assert (manifest.threshold, manifest.gate) == (None, "paper")


def test_a_patch_gate_is_built_as_one(plain_run: Run, tmp_path: Path) -> None:
    """In a copy of the run, in which the paper's gate was exchanged for one."""
    gate = Gate(3, Preprocessing((0.5,) * 3, (0.5,) * 3, "bicubic"), seed=3, kind="patch").eval()
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    results = read(copy)
    results["provenance"]["gate"] = "patch"
    (copy / "results.json").write_text(json.dumps(results))
    saved_as = copy / "artifacts" / results["gate"][0]["artifact"] / "weights.safetensors"
    save_tensors(saved_as, gate.state_dict(), {})
    saved_as.with_name("made.json").unlink()  # or the weights would not be those that were made
    predictor = mixqual.load(mixqual.export(copy, tmp_path / "mix", model="mix").path)
    gate.mean = 255 * torch.tensor(predictor.manifest.mean)[None, :, None, None]
    gate.std = 255 * torch.tensor(predictor.manifest.std)[None, :, None, None]
    images_BCHW = 255 * torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    _, w_BE = answers(predictor, images_BCHW)
    np.testing.assert_allclose(w_BE, gate(images_BCHW).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("model", ["mix", *TREES])
def test_verdicts_are_those_of_the_results(
    tree_run: Run, opened: Opened, tmp_path: Path, model: str
) -> None:
    """The shares of the verdicts on all test images, counted again with the bundle."""
    predictor = mixqual.load(
        mixqual.export(tree_run.out, tmp_path / f"{model}.mixqual", model=model).path
    )
    told, trust = told_of(tree_run, model), predictor.manifest.trust
    assert trust
    assert (trust.temperature, trust.rule) == (told["temperature"], told["rule"])
    assert (trust.usable, trust.retake) == (told["usable"], told["retake"])
    assert trust.errors == {v: row["error"] for v, row in told["verdicts"]["average"].items()}
    verdicts = []
    for cell in opened.bench.plan.test_cells:
        found = predictor.predict_pixels(distorted(opened, "test", cell))
        verdicts += [each.verdict for each in found]
    for verdict, row in told["verdicts"]["average"].items():
        assert verdicts.count(verdict) / len(verdicts) == pytest.approx(row["share"], abs=1e-6)


def test_verdicts_of_one_model_are_none_of_another(tree_run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "artifacts").symlink_to(tree_run.out / "artifacts")
    row = told_of(tree_run, "mix")
    (copy / "results.json").write_text(json.dumps(tree_run.results | {"trust": [row]}))
    mix = mixqual.export(copy, tmp_path / "mix", model="mix").manifest
    assert mix.trust
    assert mix.trust.temperature == row["temperature"]
    tree = mixqual.export(copy, tmp_path / "tree", model="tree_blocks.2")
    assert tree.manifest.trust is None
    p_BK, _ = answers(mixqual.load(tree.path), torch.zeros(1, 3, 32, 32))
    assert p_BK.sum() == pytest.approx(1, abs=1e-6)
    assert mixqual.load(tree.path).predict_pixels(torch.zeros(1, 3, 32, 32))[0].verdict is None


class TestRefuses:
    def test_a_run_whose_weights_are_gone(self, plain_run: Run, tmp_path: Path) -> None:
        copy = shutil.copytree(plain_run.out, tmp_path / "run")
        shutil.rmtree(copy / "artifacts" / plain_run.results["gate"][0]["artifact"])
        with pytest.raises(RunError, match="the gate of seed 0 is not trained"):
            mixqual.export(copy, tmp_path / "b", model="mix")

    def test_results_that_do_not_name_the_gate(self, plain_run: Run, tmp_path: Path) -> None:
        copy = shutil.copytree(plain_run.out, tmp_path / "run")
        results = read(copy)
        del results["gate"][0]["artifact"]
        (copy / "results.json").write_text(json.dumps(results))
        with pytest.raises(RunError, match="does not say where the gate is"):
            mixqual.export(copy, tmp_path / "b", model="mix")
