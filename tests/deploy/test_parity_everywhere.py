"""Eager networks, bundle, ONNX and HTTP say the same, whatever is shared, clean and distorted."""

import json
import shutil
from pathlib import Path

import numpy as np
import parity
import pytest
from finished_runs import Run

from mixqual.finished_run import FinishedRun
from mixqual.networks import Gate, Preprocessing
from mixqual.training.checkpoints import save_tensors

MODELS = (
    "mix",
    "tree_blocks.2",
    "inverted_blocks.2",
    "tree_blocks.1_inverted_conv_head_resolved",
    "tree_blocks.2_resolved",
)
IMAGES = 20


@pytest.fixture(scope="module")
def finished(tree_run: Run) -> FinishedRun:
    return FinishedRun.open(tree_run.out)


@pytest.fixture(scope="module")
def shown(finished: FinishedRun) -> parity.Shown:
    return parity.test_images(finished, IMAGES)


@pytest.fixture
def patch_run(plain_run: Run, tmp_path: Path) -> FinishedRun:
    """A copy of the run with a gate of the other kind, which has learned nothing."""
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    results = json.loads((copy / "results.json").read_text())
    results["provenance"]["gate"] = "patch"
    (copy / "results.json").write_text(json.dumps(results))
    gate = Gate(3, Preprocessing((0.5,) * 3, (0.5,) * 3, "bicubic"), seed=3, kind="patch")
    folder = copy / "artifacts" / results["gate"][0]["artifact"]
    save_tensors(folder / "weights.safetensors", gate.state_dict(), {})
    return FinishedRun.open(copy)


def test_half_of_the_images_are_distorted_and_all_of_them_differ(shown: parity.Shown) -> None:
    assert shown.distorted_B.sum() == IMAGES / 2
    assert len({image.tobytes() for image in shown.images_BCHW}) == IMAGES


def test_the_models_are_those_of_the_run(finished: FinishedRun) -> None:
    assert set(parity.models_of(finished)) == set(MODELS)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_all_say_the_same(
    finished: FinishedRun, shown: parity.Shown, tmp_path: Path, model: str
) -> None:
    found = parity.differences(finished, model, shown, tmp_path)
    assert list(found) == ["bundle", "ONNX", "HTTP"]
    for difference in found.values():
        assert difference.largest <= parity.MOST


@pytest.mark.slow
def test_so_they_do_with_the_lighter_gate(
    patch_run: FinishedRun, shown: parity.Shown, tmp_path: Path
) -> None:
    found = parity.differences(patch_run, "mix", shown, tmp_path)
    assert max(difference.largest for difference in found.values()) <= parity.MOST
    _, patch_BE = parity.eager(patch_run, "mix", 0, shown.images_BCHW)
    assert np.ptp(patch_BE, axis=0).max() > 1e-3  # it looks at the images


def test_other_networks_are_told_apart(
    finished: FinishedRun, shown: parity.Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the networks of another mixture in the place of the run's own."""
    other = parity.run_mixture(finished, "tree_blocks.2", 0)
    monkeypatch.setattr(parity, "run_mixture", lambda *_: other)
    found = parity.differences(finished, "mix", shown, tmp_path)
    assert min(difference.largest for difference in found.values()) > parity.MOST
