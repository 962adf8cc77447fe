"""What an ONNX graph may be, and may not carry; tests/deploy/test_formats.py runs them."""

import importlib.util

import numpy as np
import onnx
import pytest
import torch
from test_whole_network import BACKBONE, MANIFEST, mixture

from mixqual.deploy import Manifest, onnx_graph
from mixqual.deploy.onnx_cut import cut_names
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.parity import probe_batches
from mixqual.deploy.runner import Mode
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.errors import BundleError
from mixqual.networks import Gate, Mixture, Preprocessing, build_classifier

__all__ = ["mixture"]


@pytest.fixture
def network(mixture: Mixture) -> WholeNetwork:
    return WholeNetwork(Manifest.model_validate(MANIFEST), mixture).eval()


def test_a_graph_says_what_it_takes_and_nothing_of_this_machine(network: WholeNetwork) -> None:
    manifest = Manifest.model_validate(MANIFEST)
    example_BCHW = example_of(manifest, "uint8")
    content = onnx_graph.onnx_graph(network, example_BCHW, cut_names(manifest))
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    (given,) = model.graph.input
    assert given.name == "images"
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sizes = [size.dim_value or size.dim_param for size in given.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, 32, 32]
    assert [output.name for output in model.graph.output] == ["probabilities", "weights"]
    made = {name for node in model.graph.node for name in node.output}
    assert made > set(cut_names(manifest)) == {"branch_0", "branch_1"}
    for trace in (b"site-packages", b".py", __file__.split("/")[1].encode() + b"/"):
        assert trace not in content


def test_a_gate_that_looks_at_a_patch() -> None:
    """Images are larger than its patch, and what lies around that does not move the weights."""
    manifest = Manifest.model_validate({**MANIFEST, "size": 48, "gate": "patch"})
    gate = Gate(2, Preprocessing(manifest.mean, manifest.std, "bicubic"), seed=1, kind="patch")
    experts = [build_classifier(BACKBONE, 2, seed) for seed in (1, 2)]
    network = WholeNetwork(manifest, Mixture.independent(experts, gate)).eval()
    runner = OnnxRunner(onnx_graph.onnx_graph(network, example_of(manifest, "uint8"), ()), "cpu")
    images_BCHW = np.concatenate(probe_batches(manifest))
    found = runner(images_BCHW, Mode())
    with torch.inference_mode():
        p_BK, weights_BE = network(torch.tensor(images_BCHW))
    np.testing.assert_allclose(found.p_BK, p_BK.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.weights_BE, weights_BE.numpy(), atol=1e-4)
    assert np.ptp(found.weights_BE, axis=0).min() > 0.01
    framed_BCHW = np.zeros_like(images_BCHW)
    framed_BCHW[..., 8:40, 8:40] = images_BCHW[..., 8:40, 8:40]
    np.testing.assert_array_equal(runner(framed_BCHW, Mode()).weights_BE, found.weights_BE)


def test_more_than_a_file_can_hold_is_refused(
    network: WholeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graph, "MOST_BYTES", onnx_graph._OVERHEAD + 1000)
    with pytest.raises(BundleError, match=r"its weights have .* cannot hold more than 2 GiB"):
        onnx_graph.onnx_graph(network, torch.zeros(2, 3, 32, 32), ())


def test_packages_that_are_missing_are_named(
    network: WholeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    with pytest.raises(
        BundleError, match=r'needs onnxscript, .* pip install "mixqual\[onnx-export'
    ):
        onnx_graph.onnx_graph(network, torch.zeros(2, 3, 32, 32), ())
