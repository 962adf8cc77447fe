"""`mixqual export`: a model of a finished run as one file, for mixqual or for others."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixqual.artifacts import make_folder, replace_durably, write_atomically
from mixqual.deploy.assembly import assemble
from mixqual.deploy.bundle import write_bundle
from mixqual.deploy.int8 import measured, quantised
from mixqual.deploy.loading import load
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_cut import cut_names
from mixqual.deploy.onnx_file import Facts, Input, Int8, Parity, write_onnx_file
from mixqual.deploy.onnx_graph import onnx_graph
from mixqual.deploy.onnx_modes import OnnxPartsRunner
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.parity import Answer, check_parity, parity, probe_batches
from mixqual.deploy.parts import check_target
from mixqual.deploy.predictor import Predictor
from mixqual.deploy.run_model import exportable, recommended, run_model
from mixqual.deploy.runner import FULL, Mode, Runner
from mixqual.deploy.torch_program import load_program, torch_program
from mixqual.deploy.torch_runner import TorchRunner
from mixqual.deploy.validation import find_validation
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.errors import BundleError
from mixqual.finished_run import FinishedRun
from mixqual.results.names import MIX

_BUNDLE, _ONNX, _PROGRAM = "bundle", "onnx", "torch-export"
FORMATS = (_BUNDLE, _ONNX, _PROGRAM)
_BY_SUFFIX: Mapping[str, str] = {".mixqual": _BUNDLE, ".onnx": _ONNX, ".pt2": _PROGRAM}


class Exported(NamedTuple):
    """A file that was written."""

    path: Path
    format: str
    """"bundle", "onnx" or "torch-export"."""
    manifest: Manifest
    why: str
    """Why it is this model: "asked for", or that the run recommends it, or nothing."""
    parity: Parity | None
    """How near its answers are to those of the networks; of a bundle, which holds them, None."""
    int8: Int8 | None = None


def export(
    run: str | Path,
    out: str | Path,
    *,
    model: str | None = None,
    seed: int | None = None,
    format: str | None = None,
    input: str = "uint8",
    int8: bool = False,
) -> Exported:
    """Write a mixture or a network of a finished run as one file.

    `model` is "mix", or the name of a tree or of a single network of the study, by default what the
    run recommends, or "mix" if it recommends nothing; `seed` names a training, by default the
    first. `format` is "bundle", "onnx" or "torch-export", by default that of the ending .mixqual,
    .onnx or .pt2, and a bundle without an ending. The latter two hold the whole way from pixels to
    calibrated probabilities, and take grey levels of 0 to 255 as `input`, "uint8" or "float32".
    They are compared with the networks before they are written. With `int8` the convolutions of
    ONNX are in whole numbers; what that costs is measured, on validation images that the run still
    has, and not refused.

    Raises `RunError` for a run that is not finished, has no such training, or whose weights are
    gone, and `BundleError` for an unknown model or ending, settings that do not fit, and a file
    that would not answer as the networks do.
    """
    path = Path(out)
    check_target(path)
    chosen = _format_of(path, format)
    kind = cast(Input, _one_of("input", input, get_args(Input)))
    if int8 and chosen != _ONNX:
        raise BundleError(f"int8 is for the format {_ONNX}, not {chosen}")
    finished = FinishedRun.open(Path(run))
    training = finished.seeds[0] if seed is None else seed
    model, why = (model, "asked for") if model is not None else _default(finished)
    manifest, tensors = run_model(finished, model, training)
    make_folder(path.parent)
    if chosen == _BUNDLE:
        with _proven(path) as new:
            write_bundle(new, manifest, tensors)
        return Exported(path, chosen, manifest, why, None)
    mixture = assemble(manifest, tensors)
    Predictor(manifest, TorchRunner(manifest, mixture, "cpu")).check()
    network = WholeNetwork(manifest, mixture).eval()
    # Before the runner, which puts the mixture into another memory format.
    content, answer = _made(chosen, network, manifest, example_of(manifest, kind))
    own = _answering(TorchRunner(manifest, mixture, "cpu"))
    found, loss = parity(manifest, own, answer), None
    check_parity(found, str(path))
    if chosen == _ONNX:
        parts = _answering(OnnxPartsRunner(manifest, content, "cpu"))
        check_parity(parity(manifest, own, parts), f"{path}, part by part,")
    if int8:
        content, loss = _in_int8(content, finished, manifest, kind)
        found = parity(manifest, own, _answering(OnnxRunner(content, "cpu")))
    if chosen == _ONNX:
        facts = Facts(input=kind, parity=found, int8=loss, divisible=True)
        with _proven(path) as new:
            write_onnx_file(new, content, manifest, facts)
    else:
        write_atomically(path, content)
    return Exported(path, chosen, manifest, why, found, loss)


@contextmanager
def _proven(path: Path) -> Iterator[Path]:
    """A place for a file that gets its name when it can be loaded and answers; else it goes."""
    new = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield new
        try:
            load(new, "cpu")
        except BundleError as error:
            raise BundleError(
                f"{path}: {str(error).removeprefix(f'{new}: ')}; nothing was written"
            ) from None
        replace_durably(new, path)
    finally:
        new.unlink(missing_ok=True)


def _format_of(path: Path, asked: str | None) -> str:
    """The format that is asked for, or that of the file's ending, which must not be another."""
    told = _BY_SUFFIX.get(path.suffix.lower())
    if asked is None:
        if told is None and path.suffix:
            raise BundleError(
                f"{path}: no format ends in {path.suffix}; the endings are "
                f"{', '.join(_BY_SUFFIX)}, or give --format ({', '.join(FORMATS)})"
            )
        return told or _BUNDLE
    chosen = _one_of("format", asked, FORMATS)
    if told not in (None, chosen):
        raise BundleError(f"{path}: the ending {path.suffix} is of the format {told}, not {chosen}")
    return chosen


def _default(finished: FinishedRun) -> tuple[str, str]:
    """The model to export where none is asked for, and why it is that one."""
    told = recommended(finished)
    if told is None:
        return MIX, "the run recommends nothing"
    ship, mode = told
    if ship not in exportable(finished):
        known = ", ".join(exportable(finished))
        raise BundleError(
            f"{finished.root} recommends {ship!r}, which no file can hold; choose a model: {known}"
        )
    return ship, "the run recommends it" + (f" in the mode {mode}" if mode != FULL else "")


def _in_int8(
    graph: bytes, finished: FinishedRun, manifest: Manifest, kind: Input
) -> tuple[bytes, Int8]:
    """The graph in whole numbers, calibrated on validation images, or on made-up ones without."""
    validation = find_validation(finished, manifest)
    batches = validation.calibrating() if validation else probe_batches(manifest)
    small = quantised(graph, batches, kind)
    return small, measured(validation, OnnxRunner(graph, "cpu"), OnnxRunner(small, "cpu"))


def _made(
    form: str, network: WholeNetwork, manifest: Manifest, example_BCHW: Tensor
) -> tuple[bytes, Answer]:
    """The network in another format, and that which was made of it ready to answer."""
    if form == _ONNX:
        graph = onnx_graph(network, example_BCHW, cut_names(manifest))
        return graph, _answering(OnnxRunner(graph, "cpu"))
    content = torch_program(network, example_BCHW, manifest)
    program = load_program(content)

    def answer(images_BCHW: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        with torch.no_grad():
            p_BK, w_BE = program(torch.tensor(images_BCHW, dtype=example_BCHW.dtype))
        return p_BK.numpy(), w_BE.numpy()

    return content, answer


def _answering(runner: Runner) -> Answer:
    def answer(images_BCHW: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        found = runner(images_BCHW, Mode())
        return found.p_BK, found.weights_BE

    return answer


def _one_of(what: str, asked: str, known: Sequence[str]) -> str:
    if asked not in known:
        raise BundleError(f"there is no {what} {asked!r}; there are {', '.join(known)}")
    return asked
