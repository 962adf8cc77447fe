"""Whole graphs, as files of before there were parts have them, and files that cannot be run."""

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_bundle import MANIFEST
from test_onnx_file import FACTS, graph

from mixqual.deploy import Manifest, load
from mixqual.deploy.onnx_file import write_onnx_file
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.runner import Mode
from mixqual.errors import BundleError


def mean_graph(kind: int) -> bytes:
    """A model whose outputs are the means of the first two channels, times two."""
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["means"], keepdims=0),
        helper.make_node("Split", ["means"], ["probabilities", "rest"], axis=1, num_outputs=2),
        helper.make_node("Add", ["probabilities", "probabilities"], ["weights"]),
    ]
    made = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("images", kind, ["batch", 3, "height", "width"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])
            for name in ("probabilities", "weights")
        ],
        [numpy_helper.from_array(np.array([2, 3]), "axes")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
def test_images_are_given_as_the_graph_takes_them(kind: int) -> None:
    runner = OnnxRunner(mean_graph(kind), "cpu")
    values_BCHW = np.random.default_rng(0).uniform(0, 255, (3, 4, 4, 3)).transpose(0, 3, 1, 2)
    for images_BCHW in (values_BCHW, np.rint(values_BCHW).astype(np.uint8)):
        answers = runner(images_BCHW, Mode())
        expected = np.rint(values_BCHW) if kind == TensorProto.UINT8 else images_BCHW
        np.testing.assert_allclose(answers.p_BK, expected.mean((2, 3))[:, :2], rtol=1e-5)
        np.testing.assert_allclose(answers.weights_BE, 2 * answers.p_BK, rtol=1e-6)
        assert answers.run_BE.all()


class TestRefuses:
    def test_what_onnxruntime_does_not_know(self, tmp_path: Path) -> None:
        model = graph()
        model.graph.node[0].op_type = "Sdd"
        manifest = Manifest.model_validate(MANIFEST)
        write_onnx_file(tmp_path / "odd.onnx", model.SerializeToString(), manifest, FACTS)
        with pytest.raises(BundleError, match=r"odd\.onnx: onnxruntime cannot run it: .*Sdd"):
            load(tmp_path / "odd.onnx")

    def test_a_damaged_file_before_onnxruntime_sees_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "tiny.onnx"
        write_onnx_file(path, graph().SerializeToString(), Manifest.model_validate(MANIFEST), FACTS)
        path.write_bytes(path.read_bytes()[:-1])
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(BundleError, match="no whole ONNX file"):
            load(path)

    def test_other_modes_of_a_file_that_is_not_divisible(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny"  # known by its first byte
        manifest = Manifest.model_validate(MANIFEST)
        write_onnx_file(path, mean_graph(TensorProto.UINT8), manifest, FACTS)
        assert load(path).mode == Mode("full")
        with pytest.raises(
            BundleError, match=r"the mode expert cannot be had .* runs full; export"
        ):
            load(path, expert="noise")
