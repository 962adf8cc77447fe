"""Classifiers from files: ONNX, TorchScript and torch.export.

Read only files that you trust: torch unpickles parts of some of them.
"""

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor
from torch.export.passes import move_to_device_pass

from mixqual.errors import BackboneError
from mixqual.networks.class_names import class_names

_TORCHSCRIPT_FACTS = "config.txt"
"""Where Ultralytics puts facts of a model, among the extra files."""
_ONNX_TYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
}
_WEIGHTS_ONLY = "if it holds weights only, give the network's name, and this file as --weights"


@final
@dataclass(frozen=True)
class ModelFile:
    """The program of a file, and what it takes. Call it with scaled images (B, 3, size, size)."""

    path: Path
    format: str
    run: Callable[[Tensor], Any]
    dtype: torch.dtype = torch.float32
    size: int | None = None
    """Side of the images in pixels, if the file fixes it."""
    channels_last: bool = False
    """Whether it takes (B, H, W, C)."""
    batch: int | None = None
    """Images a call, if the file fixes it."""
    fewest: int = 1
    """Images a call at least."""
    classes: tuple[str, ...] | None = None
    """What it calls its outputs, if it says so."""

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """Return scores_BK: in pieces if the batch is fixed, the last one filled up.

        Raises `BackboneError` if the program returns anything else.
        """
        if self.dtype == torch.uint8:
            images_BCHW = images_BCHW.round().clamp(0, 255)
        pieces = images_BCHW.to(self.dtype).split(self.batch or len(images_BCHW))  # type: ignore[no-untyped-call]
        return torch.cat([self._scores(piece_BCHW) for piece_BCHW in pieces])

    def in_words(self) -> str:
        """What it takes, such as "float32 (any, 3, 224, 224)"."""
        side = self.size or "any"
        shape = (side, side, 3) if self.channels_last else (3, side, side)
        sizes = ", ".join(str(length) for length in (self.batch or "any", *shape))
        return f"{str(self.dtype).removeprefix('torch.')} ({sizes})"

    def _scores(self, images_BCHW: Tensor) -> Tensor:
        count = len(images_BCHW)
        lacking = max(self.batch or 1, self.fewest) - count
        if lacking > 0:
            images_BCHW = torch.cat([images_BCHW, images_BCHW[-1:].expand(lacking, -1, -1, -1)])
        given = images_BCHW.permute(0, 2, 3, 1) if self.channels_last else images_BCHW
        output = self.run(given.contiguous())
        scores_BK = _first_tensor(output)
        if scores_BK is None or scores_BK.ndim != 2 or len(scores_BK) != len(images_BCHW):
            found = type(output).__name__ if scores_BK is None else tuple(scores_BK.shape)
            raise BackboneError(
                f"{self.path} must return scores of shape (images, classes), but for "
                f"{len(images_BCHW)} images it returned {found}"
            )
        return scores_BK[:count]


def is_model_file(model: str) -> bool:
    """Whether a name ends as those of model files do."""
    return Path(model).suffix.lower() in _READERS


def read_model_file(path: Path, device: torch.device) -> ModelFile:
    """Read an .onnx, .pt2, .pt, .ts, .jit or .torchscript file, to compute on a device.

    ONNX needs the onnx extra, and computes on the CPU unless onnxruntime has CUDA. Raises
    `BackboneError` if the file is missing, damaged or something else, or if it takes no square
    images of three channels.
    """
    if not path.is_file():
        raise BackboneError(f"model {str(path)!r} is no file")
    form, reader = _READERS[path.suffix.lower()]
    with quietly():
        try:
            return reader(path, device)
        except BackboneError:
            raise
        except Exception as error:  # each reader raises many kinds for a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            hint = f"; {_WEIGHTS_ONLY}" if reader is _read_torchscript else ""
            raise BackboneError(f"{path} cannot be read as {form}: {reason}{hint}") from None


def with_batch(model: ModelFile, size: int, device: torch.device) -> ModelFile:
    """The model with a fixed batch of one, if it takes one image of this size but not two.

    TorchScript does not say what it takes, and tracing may have fixed the batch.
    """
    if model.batch or model.format != "TorchScript":
        return model
    with torch.inference_mode():
        for batch in (None, 1):
            settled = replace(model, batch=batch)
            try:
                settled(torch.zeros(2, 3, size, size, device=device))
            except (RuntimeError, BackboneError):
                continue
            return settled
    return model  # the caller's own first call will say why


def _read_onnx(path: Path, device: torch.device) -> ModelFile:
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ModuleNotFoundError:
        raise BackboneError(
            f'{path}: ONNX files need the onnx extra: pip install "mixqual[onnx]"'
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is raised as well
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in runtime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    session = runtime.InferenceSession(str(path), options, providers=providers)
    inputs = session.get_inputs()
    _check_one_input(path, [each.name for each in inputs])
    outputs = [each.name for each in session.get_outputs() if each.type in _ONNX_TYPES]
    if not outputs:
        raise BackboneError(f"{path} returns no tensor of numbers, so no scores of classes")

    def run(images: Tensor) -> Tensor:
        (scores,) = session.run(outputs[:1], {inputs[0].name: images.cpu().numpy()})
        return torch.from_numpy(scores)

    dtype = _dtype(path, _ONNX_TYPES.get(inputs[0].type))
    names = class_names(session.get_modelmeta().custom_metadata_map)
    model = ModelFile(path, "ONNX", run, dtype, classes=names)
    return _with_shape(model, inputs[0].shape)


def _read_torchscript(path: Path, device: torch.device) -> ModelFile:
    extra = {_TORCHSCRIPT_FACTS: ""}  # torch fills in the text, if there is such a part
    module = torch.jit.load(str(path), device, extra)  # type: ignore[no-untyped-call]
    if getattr(module, "training", False):
        module.eval()
    try:
        facts = json.loads(extra[_TORCHSCRIPT_FACTS] or "{}")
    except ValueError:
        facts = {}
    names = class_names(facts) if isinstance(facts, dict) else None
    return ModelFile(path, "TorchScript", module, classes=names)


def _read_exported(path: Path, device: torch.device) -> ModelFile:
    program = torch.export.load(path)
    if device.type != "cpu":
        program = move_to_device_pass(program, device)
    names = list(program.graph_signature.user_inputs)
    _check_one_input(path, [str(name) for name in names])
    node = next(node for node in program.graph.nodes if node.name == names[0])
    given = node.meta["val"]
    # Export takes sizes that may vary to be two or more.
    model = ModelFile(path, "torch.export", program.module(), _dtype(path, given.dtype), fewest=2)
    return _with_shape(model, tuple(given.shape))


def _with_shape(model: ModelFile, shape: Sequence[object]) -> ModelFile:
    """The model with what its input's shape fixes; a length that may vary is no whole number."""
    if not shape:  # an ONNX file need not say
        return model
    lengths = [length if isinstance(length, int) else None for length in shape]
    if len(lengths) != 4:
        raise BackboneError(
            f"{model.path} takes input of shape {_in_words(lengths)}, not a batch of images "
            "(images, 3, height, width)"
        )
    channels_last = lengths[3] == 3 and lengths[1] != 3
    batch, *rest = lengths
    channels, height, width = (rest[2], *rest[:2]) if channels_last else rest
    if channels not in (3, None):
        raise BackboneError(
            f"{model.path} takes images of {channels} channels, in shape {_in_words(lengths)}; "
            "mixqual gives it 3"
        )
    if height != width:
        raise BackboneError(
            f"{model.path} takes images of shape {_in_words(lengths)}, but mixqual's are square"
        )
    fewest = batch or model.fewest
    return replace(model, batch=batch, size=height, channels_last=channels_last, fewest=fewest)


def _in_words(lengths: Sequence[int | None]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in lengths)})"


def _check_one_input(path: Path, names: Sequence[str]) -> None:
    if len(names) != 1:
        raise BackboneError(
            f"{path} takes {len(names)} inputs ({', '.join(names)}), not one batch of images"
        )


def _dtype(path: Path, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is None or dtype not in _ONNX_TYPES.values():
        raise BackboneError(f"{path} takes neither floating-point nor uint8 images")
    return dtype


def _first_tensor(output: object) -> Tensor | None:
    """The scores in what a program returns: itself, or the first of several."""
    if isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    if isinstance(output, (tuple, list)):
        output = next(iter(output), None)
    return output if isinstance(output, Tensor) else None


@contextmanager
def quietly() -> Iterator[None]:
    """Without torch's announcements, and without tracebacks in its log of what it then raises."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


_READERS: dict[str, tuple[str, Callable[[Path, torch.device], ModelFile]]] = {
    ".onnx": ("ONNX", _read_onnx),
    ".pt2": ("a program of torch.export", _read_exported),
    **dict.fromkeys((".pt", ".ts", ".jit", ".torchscript"), ("TorchScript", _read_torchscript)),
}
