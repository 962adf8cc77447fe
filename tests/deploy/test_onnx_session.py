"""What onnxruntime is asked to run, and what is said if it cannot."""

import sys

import numpy as np
import pytest
from onnx import TensorProto
from test_onnx_runner import mean_graph

from mixqual.deploy.onnx_session import OnnxSession
from mixqual.errors import BundleError


def test_only_what_is_asked_for_is_answered_in_that_order() -> None:
    session = OnnxSession(mean_graph(TensorProto.FLOAT), "cpu")
    assert session.inputs == ("images",)
    images_BCHW = np.random.default_rng(0).uniform(0, 255, (3, 3, 4, 4))
    given = {"images": images_BCHW, "others": images_BCHW}
    doubled, means = session(("weights", "probabilities"), given)
    np.testing.assert_allclose(means, images_BCHW.mean((2, 3))[:, :2], rtol=1e-5)
    np.testing.assert_allclose(doubled, 2 * means, rtol=1e-6)
    assert len(session(("weights",), given)) == 1


class TestRefuses:
    @pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "mps"])
    def test_unknown_devices(self, device: str) -> None:
        with pytest.raises(BundleError, match='is not "auto", "cpu" or "cuda'):
            OnnxSession(mean_graph(TensorProto.FLOAT), device)

    def test_what_is_no_model(self) -> None:
        with pytest.raises(BundleError, match="onnxruntime cannot run it: "):
            OnnxSession(b"no model", "cpu")

    def test_a_machine_without_onnxruntime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(BundleError, match=r'pip install "mixqual\[onnx\]"'):
            OnnxSession(b"")
