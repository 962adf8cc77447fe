"""Eager networks, bundle, ONNX and HTTP say the same, whatever is shared, clean and distorted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import parity
import pytest
from finished_runs import Run, read

from mixqual.deploy.export import Exported, export
from mixqual.finished_run import FinishedRun
from mixqual.networks import Gate, Preprocessing
from mixqual.training.checkpoints import save_tensors

MODELS = (
    "mix",
    "tree_blocks.2",
    "inverted_blocks.2",
    "tree_blocks.1_inverted_conv_head_resolved",
    "all",
)
"""One of each kind of sharing, and one network."""
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
    results = read(copy)
    results["provenance"]["gate"] = "patch"
    (copy / "results.json").write_text(json.dumps(results))
    gate = Gate(3, Preprocessing((0.5,) * 3, (0.5,) * 3, "bicubic"), seed=3, kind="patch")
    folder = copy / "artifacts" / results["gate"][0]["artifact"]
    save_tensors(folder / "weights.safetensors", gate.state_dict(), {})
    (folder / "made.json").unlink()  # or these would not be the weights that were made
    return FinishedRun.open(copy)


def test_half_of_the_images_are_distorted_and_all_of_them_differ(shown: parity.Shown) -> None:
    assert shown.distorted_B.sum() == IMAGES / 2
    assert len({image.tobytes() for image in shown.images_BCHW}) == IMAGES


def test_the_models_are_those_of_the_run(finished: FinishedRun) -> None:
    assert set(MODELS) < set(parity.models_of(finished))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_all_say_the_same(
    finished: FinishedRun,
    shown: parity.Shown,
    in_onnx: Callable[[str], Exported],
    tmp_path: Path,
    model: str,
) -> None:
    bundle = export(finished.root, tmp_path / "b", model=model).path
    found = parity.differences(finished, model, shown, bundle, in_onnx(model).path)
    assert list(found) == ["bundle", "ONNX", "HTTP"]
    for difference in found.values():
        assert difference.largest <= parity.MOST


@pytest.mark.slow
def test_so_they_do_with_the_lighter_gate(
    patch_run: FinishedRun, shown: parity.Shown, tmp_path: Path
) -> None:
    files = parity.exported(patch_run, "mix", tmp_path)
    found = parity.differences(patch_run, "mix", shown, *files)
    assert max(difference.largest for difference in found.values()) <= parity.MOST
    _, patch_BE = parity.eager(patch_run, "mix", 0, shown.images_BCHW)
    assert np.ptp(patch_BE, axis=0).max() > 1e-3  # it looks at the images


def test_other_networks_are_told_apart(finished: FinishedRun, shown: parity.Shown) -> None:
    one, other = (
        parity.eager(finished, model, 0, shown.images_BCHW) for model in ("mix", "tree_blocks.2")
    )
    assert parity.difference(one, other, shown).largest > parity.MOST
    assert parity.difference(one, one, shown).largest == 0


def test_the_command(
    plain_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 1 where less is let pass than there always is; what cannot be is one line."""
    monkeypatch.setattr(parity, "exported", lambda *_: ())
    monkeypatch.setattr(parity, "differences", lambda *_: {"ONNX": parity.Difference(0, 2e-4, 0)})
    monkeypatch.setattr("sys.argv", ["parity.py", str(plain_run.out), "--images", "4"])
    assert parity.main() == 1
    assert "mix                            ONNX    clean 0.0e+00, distorted 2.0e-04" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr("sys.argv", ["parity.py", str(plain_run.study)])
    with pytest.raises(SystemExit, match="holds no finished run"):
        parity.main()
