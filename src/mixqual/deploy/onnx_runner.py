"""A mixture as one graph of ONNX, in which all experts run: nothing here needs torch."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy.onnx_cut import INPUT, PROBABILITIES, WEIGHTS
from mixqual.deploy.onnx_session import OnnxSession
from mixqual.deploy.runner import FULL, Answers, Mode


@final
class OnnxRunner:
    """A `Runner` of a whole graph, as other programs run it."""

    modes: tuple[str, ...] = (FULL,)

    def __init__(self, content: bytes, device: str = "auto") -> None:
        """`content` is a whole ONNX file. Raises `BundleError` if onnxruntime cannot run it."""
        self._session = OnnxSession(content, device)

    def __call__(self, images_BCHW: NDArray[Any], mode: Mode) -> Answers:
        """Answer for each image; a graph of bytes gets numbers rounded."""
        p_BK, w_BE = self._session((PROBABILITIES, WEIGHTS), {INPUT: images_BCHW})
        return Answers(p_BK, w_BE, np.ones(w_BE.shape, np.bool_))
