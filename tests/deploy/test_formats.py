"""Every format answers as the bundle does, whatever is shared, on clean and harmed images."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ended import Command
from finished_runs import Run
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from trees_by_hand import Opened, distorted, open_run

import mixqual
from mixqual.deploy import Prediction, Predictor
from mixqual.deploy import export as exporting
from mixqual.deploy.export import Exported
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.torch_program import MANIFEST_FILE
from mixqual.errors import BundleError

MODELS = ("mix", "tree_blocks.2", "inverted_blocks.2", "tree_blocks.1_inverted_conv_head_resolved")


@pytest.fixture(scope="module")
def opened(tree_run: Run) -> Opened:
    return open_run(tree_run.study, tree_run.out)


def numbers(found: list[Prediction]) -> np.ndarray:
    """Probabilities and weights, side by side."""
    return np.array([[*each.probabilities.values(), *each.weights.values()] for each in found])


def answers(predictor: Predictor, images: object) -> np.ndarray:
    """The numbers that it gives."""
    return numbers(predictor.predict_pixels(images))


def shown(opened: Opened) -> list[Tensor]:
    """Clean, noisy and blurred test images, in bytes."""
    cells = opened.bench.plan.test_cells
    return [distorted(opened, "test", cells[n]).round().clamp(0, 255) for n in (0, 2, -1)]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_onnx_answers_as_the_bundle_does(
    tree_run: Run,
    opened: Opened,
    in_onnx: Callable[[str], Exported],
    tmp_path: Path,
    model: str,
) -> None:
    bundle = mixqual.load(mixqual.export(tree_run.out, tmp_path / "b.mixqual", model=model).path)
    told = in_onnx(model)
    predictor = mixqual.load(told.path)
    assert predictor.manifest == bundle.manifest
    whole = Predictor(predictor.manifest, OnnxRunner(told.path.read_bytes(), "cpu"))
    for images_BCHW in shown(opened):
        expected = answers(bundle, images_BCHW)
        weights_BE = expected[:, -3:]
        tau = (weights_BE.min() + np.sort(weights_BE, axis=1)[:, 1].max()) / 2
        assert ((weights_BE < tau) & (weights_BE < weights_BE.max(1, keepdims=True))).any()
        np.testing.assert_allclose(answers(whole, images_BCHW), expected, atol=1e-4)
        unthresholded = answers(predictor.using(tau=0.0), images_BCHW)
        np.testing.assert_allclose(unthresholded, answers(whole, images_BCHW), atol=1e-5)
        for mode in ({}, {"tau": tau}, {"tau": 1.0}, {"expert": "noise"}, {"expert": "clean"}):
            in_bundle, in_onnx = (p.using(**mode) for p in (bundle, predictor))
            expected, found = (p.predict_pixels(images_BCHW) for p in (in_bundle, in_onnx))
            np.testing.assert_allclose(numbers(found), numbers(expected), atol=1e-4)
            alone = answers(in_onnx, images_BCHW[:1])
            np.testing.assert_allclose(alone, numbers(expected[:1]), atol=1e-4)
            said = [[(each.verdict, each.experts_run) for each in p] for p in (expected, found)]
            assert said[0] == said[1]
    assert told.parity is not None
    assert max(told.parity.clean, told.parity.distorted) < 1e-4
    metadata = {entry.key: entry.value for entry in onnx.load(told.path).metadata_props}
    assert json.loads(metadata["mixqual.facts"])["parity"] == told.parity.model_dump()


@pytest.mark.slow
def test_a_graph_may_take_numbers(
    command: Command, tree_run: Run, opened: Opened, tmp_path: Path
) -> None:
    bundle = mixqual.load(mixqual.export(tree_run.out, tmp_path / "b", model="mix").path)
    path = tmp_path / "f"
    ended = command(
        "export", tree_run.out, path, "--format", "onnx", "--input", "float32", "--model", "mix"
    )
    assert ended.code == 0
    assert "(onnx); its probabilities differ by at most " in ended.out
    assert "of its networks on 40 clean and distorted images" in ended.out
    images_BCHW = distorted(opened, "test", opened.bench.plan.test_cells[2])  # not rounded
    expected = answers(bundle, images_BCHW)
    np.testing.assert_allclose(answers(mixqual.load(path), images_BCHW), expected, atol=1e-4)


@pytest.mark.slow
def test_programs_of_torch_answer_as_the_bundle_does(
    tree_run: Run, opened: Opened, tmp_path: Path
) -> None:
    model = "inverted_blocks.2"
    bundle = mixqual.load(mixqual.export(tree_run.out, tmp_path / "b", model=model).path)
    told = mixqual.export(tree_run.out, tmp_path / "b.pt2", model=model)
    extra = {MANIFEST_FILE: ""}
    program = torch.export.load(told.path, extra_files=extra).module()
    assert json.loads(extra[MANIFEST_FILE])["model"] == model
    for images_BCHW in shown(opened):
        for count in (1, len(images_BCHW)):
            p_BK, w_BE = program(images_BCHW[:count].to(torch.uint8))
            found = torch.cat([p_BK, w_BE], 1).detach().numpy()
            np.testing.assert_allclose(found, answers(bundle, images_BCHW)[:count], atol=1e-4)
    assert b"site-packages" not in told.path.read_bytes()


def test_what_answers_differently_is_not_written(
    tree_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an exporter that makes of a mixture what is always sure of the first class."""
    outputs = [("probabilities", 4), ("weights", 3)]
    images, *results = (
        helper.make_tensor_value_info(name, kind, ["batch", *sizes])
        for name, kind, sizes in (
            ("images", TensorProto.UINT8, (3, 32, 32)),
            *((name, TensorProto.FLOAT, (count,)) for name, count in outputs),
        )
    )
    nodes = [
        helper.make_node("Shape", ["images"], ["count"], start=0, end=1),
        *(helper.make_node("Tile", [f"one {n}", f"by {n}"], [n]) for n, _ in outputs),
        *(helper.make_node("Concat", ["count", "1"], [f"by {n}"], axis=0) for n, _ in outputs),
    ]
    first = [
        numpy_helper.from_array(np.eye(1, k, dtype=np.float32), f"one {n}") for n, k in outputs
    ]
    constants = [*first, numpy_helper.from_array(np.array([1]), "1")]
    graph = helper.make_graph([nodes[0], *nodes[3:], *nodes[1:3]], "", [images], results, constants)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    monkeypatch.setattr(exporting, "onnx_graph", lambda *_: model.SerializeToString())
    with pytest.raises(BundleError, match=r"b\.onnx would not answer as its networks do"):
        mixqual.export(tree_run.out, tmp_path / "b.onnx", model="mix")
    assert not list(tmp_path.iterdir())


class TestCommand:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--format", "tflite"), "there is no format 'tflite'; there are bundle, onnx, torch-"),
            (("--input", "int8"), "there is no input 'int8'; there are uint8, float32"),
            (("--format", "bundle"), "the ending .onnx is of the format onnx, not bundle"),
        ],
    )
    def test_refuses(
        self,
        command: Command,
        tree_run: Run,
        tmp_path: Path,
        options: tuple[str, str],
        message: str,
    ) -> None:
        ended = command("export", tree_run.out, tmp_path / "a.onnx", *options)
        assert message in ended.refusal()
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["a.tflite", "a.onnx.gz", "a.PTH", "v1.2"])
    def test_refuses_the_endings_of_others(
        self, command: Command, tree_run: Run, tmp_path: Path, name: str
    ) -> None:
        ended = command("export", tree_run.out, tmp_path / name)
        assert f"no format ends in {Path(name).suffix}; the endings are .mixqual, .onnx, .pt2" in (
            ended.refusal()
        )
        assert not list(tmp_path.iterdir())
        options = ("--format", "bundle", "--model", "mix")
        assert command("export", tree_run.out, tmp_path / name, *options).code == 0
        assert mixqual.load(tmp_path / name).manifest.model == "mix"
