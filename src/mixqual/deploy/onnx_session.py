"""One graph of ONNX, run by onnxruntime: nothing here needs torch."""

import importlib
import re
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import BundleError

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_BYTES = "tensor(uint8)"


@final
class OnnxSession:
    """A graph ready to run."""

    inputs: tuple[str, ...]
    """Names of what it takes."""

    def __init__(self, content: bytes, device: str = "auto") -> None:
        """`content` is a serialised ModelProto. Raises `BundleError` if it cannot be run."""
        try:
            runtime: Any = importlib.import_module("onnxruntime")
        except ModuleNotFoundError:
            raise BundleError(
                'ONNX files need the onnx extra: pip install "mixqual[onnx]"'
            ) from None
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised as well
        # Threads that spin when they have nothing to do would take the cores from another session.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = runtime.InferenceSession(
                content, options, providers=_providers(runtime, device)
            )
        except BundleError:
            raise
        except Exception as error:  # its own kinds, one for each way to fail
            reason = (str(error).splitlines() or [""])[0]
            raise BundleError(f"onnxruntime cannot run it: {reason}") from None
        types = {given.name: given.type for given in self._session.get_inputs()}
        self.inputs = tuple(types)
        self._bytes = {name for name, kind in types.items() if kind == _BYTES}

    def __call__(
        self, outputs: tuple[str, ...], given: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """The outputs of these names; where the graph takes bytes, numbers are rounded."""
        fed = {name: _as_taken(given[name], name in self._bytes) for name in self.inputs}
        found: list[NDArray[Any]] = self._session.run(outputs, fed)
        return found


def _as_taken(values: NDArray[Any], as_bytes: bool) -> NDArray[Any]:
    if as_bytes and values.dtype != np.uint8:
        values = np.rint(values).clip(0, 255)
    return np.ascontiguousarray(values, np.uint8 if as_bytes else np.float32)


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
