"""What an ONNX graph may be, and may not carry; tests/deploy/test_formats.py runs them."""

import importlib.util

import onnx
import pytest
import torch
from test_whole_network import MANIFEST, mixture

from mixqual.deploy import Manifest, onnx_graph
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.errors import BundleError
from mixqual.networks import Mixture

__all__ = ["mixture"]


@pytest.fixture
def network(mixture: Mixture) -> WholeNetwork:
    return WholeNetwork(Manifest.model_validate(MANIFEST), mixture).eval()


def test_a_graph_says_what_it_takes_and_nothing_of_this_machine(network: WholeNetwork) -> None:
    example_BCHW = example_of(Manifest.model_validate(MANIFEST), "uint8")
    content = onnx_graph.onnx_graph(network, example_BCHW)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    (given,) = model.graph.input
    assert given.name == "images"
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sizes = [size.dim_value or size.dim_param for size in given.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, 32, 32]
    assert [output.name for output in model.graph.output] == ["probabilities", "weights"]
    for trace in (b"site-packages", b".py", __file__.split("/")[1].encode() + b"/"):
        assert trace not in content


def test_more_than_a_file_can_hold_is_refused(
    network: WholeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graph, "MOST_BYTES", onnx_graph._OVERHEAD + 1000)
    with pytest.raises(BundleError, match=r"its weights have .* cannot hold more than 2 GiB"):
        onnx_graph.onnx_graph(network, torch.zeros(2, 3, 32, 32))


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
        onnx_graph.onnx_graph(network, torch.zeros(2, 3, 32, 32))
