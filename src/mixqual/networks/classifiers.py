"""Any classifier by what a user calls it: a network's name, a function, or a model file."""

import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import timm
import torch
from torch import Tensor

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks.backbones import Classifier, find_backbone, load_backbone
from mixqual.networks.class_order import imagenet_ids
from mixqual.networks.heads import head_layers
from mixqual.networks.input_scaling import DEFAULT, RAW, InputScaling, parse_scaling
from mixqual.networks.model_files import ModelFile, is_model_file, read_model_file, with_batch
from mixqual.runtime import place

Classify = Callable[[Tensor], Tensor]
"""From float images_BCHW in 0...255 to scores_BK."""

DEFAULT_SIZE = 224
_ASSUMED_SIZE = f"images of {DEFAULT_SIZE} pixels (--size)"
_HUBS = ("hf-hub:", "hf_hub:", "local-dir:")
"""How timm names networks that lie elsewhere; what else has a colon is module:function."""
_WEIGHTS_FILES = (".pth", ".safetensors", ".ckpt", ".bin", ".h5", ".keras", ".tflite")


@final
@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier with what it needs of its images."""

    classify: Classify
    size: int
    """Side of its images in pixels."""
    interpolation: str = "bilinear"
    """The filter that images are resized with."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What results say of it: its format, and how it takes its images."""
    classes: tuple[str, ...] | None = None
    """What it calls its outputs, in their order; None if it has no names for them."""
    assumed: tuple[str, ...] = ()
    """What was not known and taken for granted, each with the option that says it otherwise."""


def load_classifier(
    model: str,
    *,
    weights: str = "default",
    size: int | None = None,
    preprocessing: str | None = None,
    device: torch.device,
) -> LoadedClassifier:
    """Load a classifier of float images (B, 3, size, size) in 0...255.

    `model` is a torchvision or timm name (with `weights` as in a study file), "module:function",
    found from the current folder, or a file: .onnx, .pt2 (torch.export), or .pt, .ts, .jit or
    .torchscript (TorchScript). Files carry no preprocessing, so that of a file is given: as
    "raw", "unit", "imagenet" or numbers (`input_scaling`); by default "imagenet", or "raw" if it
    takes uint8. `size` is 224 unless it is given, or fixed by the file. What is not given is told
    as assumed. Raises `BackboneError` for what cannot be loaded, or for settings that do not fit.
    """
    if is_model_file(model):
        _refuse_weights(model, weights)
        return _from_file(Path(model), size, preprocessing, device)
    if Path(model).suffix.lower() in _WEIGHTS_FILES:
        raise BackboneError(
            f"model {model!r}: a {Path(model).suffix} file holds weights, or a format that is not "
            "read here; give the network's name and the weights as --weights, or export the "
            "network to .onnx, .pt2 or TorchScript (.pt)"
        )
    if preprocessing is not None:
        raise BackboneError(
            f"preprocessing {preprocessing!r} is for model files; a named network has its own, and "
            f"a function gets grey levels of 0 to 255, so leave it out for {model!r}"
        )
    assumed = () if size else (_ASSUMED_SIZE,)
    if ":" in model and not model.startswith(_HUBS):
        _refuse_weights(model, weights)
        facts = {"format": "function", "preprocessing": "its own"}
        return LoadedClassifier(
            _import_function(model), size or DEFAULT_SIZE, facts=facts, assumed=assumed
        )
    config = BackboneConfig(name=model, weights=weights)
    backbone, own = load_backbone(config)
    if not head_layers(backbone):
        raise BackboneError(
            f"model {model!r} gives features only, as it has no layer for classes; give weights of "
            "a network that was trained with one as --weights"
        )
    network = place(Classifier(backbone, own), device).eval()
    facts = {"format": "network", "preprocessing": str(InputScaling("its own", own.mean, own.std))}
    return LoadedClassifier(
        network,
        size or DEFAULT_SIZE,
        own.interpolation,
        facts,
        classes=_classes_of(config),
        assumed=assumed,
    )


def count_outputs(classifier: LoadedClassifier, name: str, device: torch.device) -> int:
    """How many classes a classifier has scores for, by trying it on two black images.

    Raises `BackboneError` if it fails on them, or returns no scores of shape (images, classes).
    """
    black_BCHW = torch.zeros(2, 3, classifier.size, classifier.size, device=device)
    try:
        with torch.inference_mode():
            scores = classifier.classify(black_BCHW)
    except BackboneError:
        raise
    except Exception as error:  # networks refuse in their own ways, and a function may hold a bug
        reason = (str(error).splitlines() or [""])[0]
        raise BackboneError(
            f"model {name!r} fails on two black images of {classifier.size} pixels: "
            f"{type(error).__name__}: {reason}"
        ) from error
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 2:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise BackboneError(
            f"the model must return scores of shape (images, classes), but for 2 images it "
            f"returned {found}"
        )
    return scores.shape[1]


def _from_file(
    path: Path, size: int | None, preprocessing: str | None, device: torch.device
) -> LoadedClassifier:
    scaling = parse_scaling(preprocessing or DEFAULT)
    file = read_model_file(path, device)
    if file.size and size and file.size != size:
        raise BackboneError(
            f"{path} takes images of {file.size} pixels only, not {size}; leave out the size, or "
            "export the model with another"
        )
    side = file.size or size or DEFAULT_SIZE
    if file.dtype == torch.uint8:
        if preprocessing not in (None, RAW):
            raise BackboneError(
                f"{path} takes uint8 images, which are grey levels of 0 to 255; preprocessing can "
                f"only be {RAW!r}, not {preprocessing!r}"
            )
        scaling = parse_scaling(RAW)
    settled = with_batch(file, side, device)
    assumed = [] if file.size or size else [_ASSUMED_SIZE]
    if preprocessing is None and file.dtype != torch.uint8:
        assumed.append(f"preprocessing {DEFAULT!r} (--preprocessing)")
    facts = {
        "format": file.format,
        "file": path.name,
        "sha256": _digest(path),
        "input": settled.in_words(),
        "preprocessing": str(scaling),
    }
    return LoadedClassifier(
        _scaled(settled, scaling),
        side,
        facts=facts,
        classes=file.classes,
        assumed=tuple(assumed),
    )


def _scaled(file: ModelFile, scaling: InputScaling) -> Classify:
    return lambda images_BCHW: file(scaling(images_BCHW))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _classes_of(config: BackboneConfig) -> tuple[str, ...] | None:
    """ImageNet's classes, for the weights that come with a network of that many outputs."""
    if config.weights not in ("default", "packaged"):
        return None
    library, name = find_backbone(config.name)
    if library == "timm":
        settings = timm.get_pretrained_cfg(name)
        if settings is None or settings.num_classes != len(imagenet_ids()):
            return None
    return imagenet_ids()


def _refuse_weights(model: str, weights: str) -> None:
    if weights != "default":
        raise BackboneError(
            f"weights {weights!r} are for networks by name; {model!r} has its own, so leave them "
            "out"
        )


def _import_function(model: str) -> Classify:
    module_name, _, function_name = model.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:  # a module of the user's may fail in any way
        raise BackboneError(
            f"model {model!r} cannot be imported ({type(error).__name__}: {error}); write "
            "module:function, where the module can be found from the current folder"
        ) from None
    if not callable(function):
        raise BackboneError(f"model {model!r} is a {type(function).__name__}, not a function")
    return function  # type: ignore[no-any-return]
