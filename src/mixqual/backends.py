"""The same answers sooner: what a network runs as for the many images of a sweep on a CPU."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch._inductor import config as inductor_config

from mixqual.errors import StudyError
from mixqual.evaluation import count
from mixqual.networks import fold_batch_norms
from mixqual.networks.model_files import quietly
from mixqual.runtime import place

# What `auto` reckons with. Measured with EfficientNet-Lite0 at 224 pixels on two cores of an AMD
# EPYC (docs/performance.md). They need not be true elsewhere: they must not change from run to run.
_MACS_A_SECOND = 25e9
"""Of an eager network on one thread."""
_GAINS = {"onnxruntime": (1.25, 8.0), "compiled": (1.1, 30.0)}
"""How many times as fast as an eager network each is at least, and the seconds that it takes to
prepare; in the order in which `auto` prefers them."""
_MARGIN = 2.0
"""The time saved has to be so many times the time to prepare."""

BACKENDS = ("eager", "compiled", "onnxruntime")
_ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")

Forward = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True)
class Accelerated:
    """A network as it runs."""

    forward: Forward
    """From float images_BCHW in 0...255, of any B, to what the network itself returns."""
    backend: str
    """"eager", "compiled" or "onnxruntime"."""


def accelerate(
    network: nn.Module, example_BCHW: Tensor, images_ahead: int, choice: str
) -> Accelerated:
    """Prepare a network for inference on batches like the example, by the backend of a choice.

    Probabilities differ by less than 1e-4 from those of the network, which is in inference mode and
    stays as it is. "eager" folds batch norms; "compiled" also makes one program of it in C++, for
    the example's batch size, beside the eager network for other sizes; "onnxruntime" exports it.
    "auto" is the first of "onnxruntime" and "compiled" that this machine has and that `pays`,
    otherwise "eager". A GPU always runs the network as it is. Raises `StudyError` for a backend
    that cannot be used.
    """
    if example_BCHW.device.type != "cpu":
        return Accelerated(network, "eager")
    check_backend(choice)
    if choice != "auto":
        return Accelerated(_forward(network, example_BCHW, choice), choice)
    macs, threads = count(network, example_BCHW.shape[-1]).macs, torch.get_num_threads()
    lacking = unusable_backends()
    for backend in _GAINS:
        if backend not in lacking and pays(backend, images_ahead, macs, threads):
            with suppress(StudyError):  # what it cannot run, the next one may
                return Accelerated(_forward(network, example_BCHW, backend), backend)
    return Accelerated(_forward(network, example_BCHW, "eager"), "eager")


def check_backend(choice: str) -> None:
    """Raise `StudyError` for a backend that this machine does not have."""
    if choice == "compiled" and _compiler() is None:
        raise StudyError(
            'runtime.backend = "compiled" needs a C++ compiler, and there is no g++, and no other '
            'that the variable CXX names; install one, or choose "auto" or "eager"'
        )
    lacking = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if choice == "onnxruntime" and lacking:
        raise StudyError(
            f'runtime.backend = "onnxruntime" needs {", ".join(lacking)}, which the '
            'onnx-export extra brings: pip install "mixqual[onnx-export]"'
        )


def unusable_backends() -> dict[str, str]:
    """The backends that this machine does not have, and what it lacks for them."""
    found = {}
    for backend in BACKENDS:
        try:
            check_backend(backend)
        except StudyError as error:
            found[backend] = str(error)
    return found


def pays(backend: str, images: int, macs: int, threads: int) -> bool:
    """Whether so many images save clearly more time than preparing a backend takes.

    `macs` are those of one image. It is reckoned, not timed, so that a study which goes on after an
    interruption decides as before.
    """
    speed_up, seconds_to_prepare = _GAINS[backend]
    eager_seconds = images * macs / (_MACS_A_SECOND * threads)
    saved = eager_seconds * (1 - 1 / speed_up)
    return saved > _MARGIN * seconds_to_prepare


def _compiler() -> str | None:
    """The C++ compiler that torch would call."""
    return shutil.which(os.environ.get("CXX") or "g++")


def _forward(network: nn.Module, example_BCHW: Tensor, backend: str) -> Forward:
    try:
        if backend == "onnxruntime":
            return _exported(network, example_BCHW)
        folded = place(fold_batch_norms(network), example_BCHW.device)
        return folded if backend == "eager" else _compiled(folded, example_BCHW)
    except Exception as error:  # a compiler and an exporter fail in many ways
        reason = (str(error).splitlines() or [""])[0]
        raise StudyError(
            f"runtime.backend = {backend!r} cannot run this network "
            f'({type(error).__name__}: {reason}); choose "auto" or "eager"'
        ) from error


def _compiled(network: nn.Module, example_BCHW: Tensor) -> Forward:
    """A program for the example's shape, with the weights in it; other sizes run eagerly."""

    def whole(images_BCHW: Tensor) -> Tensor:
        outputs: Tensor = network(images_BCHW)
        return outputs

    # torch keeps what it compiles with the code that it is compiled from, and no more than eight
    # programs: each network needs code of its own.
    whole.__code__ = whole.__code__.replace()
    program = torch.compile(whole, fullgraph=True, dynamic=False)
    example_BCHW = _channels_last(example_BCHW)
    with quietly(), torch.inference_mode(), inductor_config.patch(freezing=True):
        program(example_BCHW)  # compiles

    def forward(images_BCHW: Tensor) -> Tensor:
        with torch.inference_mode():
            if images_BCHW.shape != example_BCHW.shape:
                return whole(images_BCHW)
            # Other strides would be compiled anew.
            return program(_channels_last(images_BCHW))

    return forward


def _exported(network: nn.Module, example_BCHW: Tensor) -> Forward:
    """A session of onnxruntime, which takes batches of any size."""
    runtime: Any = importlib.import_module("onnxruntime")
    two_BCHW = torch.zeros(2, *example_BCHW.shape[1:])  # a batch of one would stay one
    sizes = ({0: torch.export.Dim("batch")},)
    with quietly(), torch.inference_mode():
        program: Any = torch.onnx.export(
            network, (two_BCHW,), dynamo=True, dynamic_shapes=sizes, verbose=False
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is raised as well
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def forward(images_BCHW: Tensor) -> Tensor:
        (outputs,) = session.run(None, {name: images_BCHW.contiguous().numpy()})
        return torch.from_numpy(outputs)

    return forward


def _channels_last(images_BCHW: Tensor) -> Tensor:
    return images_BCHW.contiguous(memory_format=torch.channels_last)
