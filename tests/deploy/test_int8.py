"""Convolutions in whole numbers: smaller, nearly the same, and with what they cost."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from ended import Command
from finished_runs import Run
from numpy.typing import NDArray

import mixqual
from mixqual.deploy import Predictor
from mixqual.deploy.onnx_file import read_onnx_file
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.runner import Mode
from mixqual.deploy.validation import find_validation
from mixqual.finished_run import FinishedRun


def answers(predictor: Predictor, what: str, images_BCHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Their "probabilities" or "weights", a row for each image."""
    found = predictor.predict_pixels(images_BCHW)
    return np.array([list(getattr(each, what).values()) for each in found])


@pytest.mark.slow
def test_it_says_what_it_costs(command: Command, plain_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    ended = command("export", plain_run.out, path, "--int8", "--model", "mix")
    assert ended.code == 0
    told = read_onnx_file(path).facts.int8
    assert told is not None
    assert told.auc is not None
    assert told.auc_int8 is not None
    assert f"int8: AUC {told.auc_int8:.3f} instead of {told.auc:.3f} on 15 val" in ended.out
    assert (told.images, told.levels) == (15, 5)
    # All but the convolutions of the gate and the first of each expert read whole numbers.
    graph = onnx.load(path).graph
    made_of = {output: node for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    whole = [n for n in convolutions if made_of[n.input[0]].op_type == "DequantizeLinear"]
    assert len(convolutions) - len(whole) == 7 + 3
    # What was measured is what the bundle and the file give, and the gate is as it was.
    bundle = mixqual.load(mixqual.export(plain_run.out, tmp_path / "b", model="mix").path)
    validation = find_validation(FinishedRun.open(plain_run.out), bundle.manifest)
    assert validation is not None
    for predictor, expected in ((bundle, told.auc), (mixqual.load(path), told.auc_int8)):
        classify = partial(answers, predictor, "probabilities")
        assert validation.auc(classify) == pytest.approx(expected, abs=1e-9)
    clean_BCHW = validation.calibrating()[0]
    weights = [answers(each, "weights", clean_BCHW) for each in (bundle, mixqual.load(path))]
    np.testing.assert_allclose(*weights, atol=1e-4)
    # Divided it is the same graph.
    whole = OnnxRunner(path.read_bytes(), "cpu")(clean_BCHW, Mode())
    np.testing.assert_allclose(
        answers(mixqual.load(path, tau=0.0), "probabilities", clean_BCHW), whole.p_BK, atol=1e-5
    )
    p, q = (answers(each, "probabilities", clean_BCHW) for each in (bundle, mixqual.load(path)))
    assert np.abs(p - q).max() > 1e-5


@pytest.mark.slow
def test_without_the_images_it_says_that_nothing_was_measured(
    command: Command, plain_run: Run, tmp_path: Path
) -> None:
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    for folder in (copy / "artifacts").glob("images-*"):
        shutil.rmtree(folder)
    ended = command("export", copy, tmp_path / "a.onnx", "--int8")
    assert ended.code == 0
    assert "what int8 costs in AUC was not measured, as the run no longer has its" in ended.out
    told = read_onnx_file(tmp_path / "a.onnx").facts.int8
    assert told is not None
    assert (told.auc, told.auc_int8, told.images) == (None, None, 0)


def test_only_onnx_has_it(command: Command, plain_run: Run, tmp_path: Path) -> None:
    ended = command("export", plain_run.out, tmp_path / "a.mixqual", "--int8", "--model", "mix")
    assert ended.refusal() == "int8 is for the format onnx, not bundle"
