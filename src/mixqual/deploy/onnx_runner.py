"""A mixture in an ONNX file, run by onnxruntime: nothing here needs torch."""

import importlib
import re
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_file import read_onnx_file
from mixqual.deploy.runner import FULL, Answers, Mode
from mixqual.errors import BundleError

INPUT, OUTPUTS = "images", ("probabilities", "weights")
"""Names in the graph: images (B, 3, size, size) in, (B, K) calibrated and (B, E) out."""

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@final
class OnnxRunner:
    """A `Runner` of a whole graph, in which all experts run."""

    modes: tuple[str, ...] = (FULL,)

    def __init__(self, content: bytes, device: str = "auto") -> None:
        """`content` is a whole ONNX file. Raises `BundleError` if onnxruntime cannot run it."""
        try:
            runtime: Any = importlib.import_module("onnxruntime")
        except ModuleNotFoundError:
            raise BundleError(
                'ONNX files need the onnx extra: pip install "mixqual[onnx]"'
            ) from None
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised as well
        try:
            self._session = runtime.InferenceSession(
                content, options, providers=_providers(runtime, device)
            )
        except BundleError:
            raise
        except Exception as error:  # its own kinds, one for each way to fail
            reason = (str(error).splitlines() or [""])[0]
            raise BundleError(f"onnxruntime cannot run it: {reason}") from None
        self._bytes = self._session.get_inputs()[0].type == "tensor(uint8)"

    def __call__(self, images_BCHW: NDArray[Any], mode: Mode) -> Answers:
        """Answer for each image; a graph of bytes gets numbers rounded."""
        if self._bytes and images_BCHW.dtype != np.uint8:
            images_BCHW = np.rint(images_BCHW).clip(0, 255)
        given = np.ascontiguousarray(images_BCHW, np.uint8 if self._bytes else np.float32)
        p_BK, w_BE = self._session.run(OUTPUTS, {INPUT: given})
        return Answers(p_BK, w_BE, np.ones(w_BE.shape, np.bool_))


def read_onnx_runner(path: Path, device: str = "auto") -> tuple[Manifest, OnnxRunner]:
    """Read an ONNX file of `mixqual export`; raises `BundleError` if it cannot be used."""
    file = read_onnx_file(path)
    try:
        return file.manifest, OnnxRunner(file.content, device)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def _providers(runtime: Any, device: str) -> list[Any]:
    """Where the graph runs; what a GPU does not know runs on the CPU."""
    asked = re.fullmatch(r"cuda(?::(\d+))?", device)
    if device not in ("auto", "cpu") and not asked:
        raise BundleError(f'the device {device!r} is not "auto", "cpu" or "cuda[:N]"')
    there = _CUDA in runtime.get_available_providers()
    if asked and not there:
        raise BundleError(f"there is no {device} for it: this onnxruntime has no CUDA")
    if device == "cpu" or not there:
        return [_CPU]
    return [(_CUDA, {"device_id": int(asked[1] or 0) if asked else 0}), _CPU]
