"""A file of `mixqual export` as a classifier to be measured, with all that the file knows of it."""

import hashlib
from pathlib import Path

import torch

from mixqual.deploy.bundle import is_bundle
from mixqual.deploy.loading import load
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_file import is_exported_onnx
from mixqual.deploy.torch_program import read_program_manifest
from mixqual.errors import BackboneError
from mixqual.networks.classifiers import Classify, LoadedClassifier, load_classifier
from mixqual.networks.input_scaling import RAW

_ONNX, _PROGRAM = ".onnx", ".pt2"


def load_any(
    model: str,
    *,
    weights: str = "default",
    size: int | None = None,
    preprocessing: str | None = None,
    device: torch.device,
) -> LoadedClassifier:
    """Load a file of ours as `load_exported` does, and all else as `networks.load_classifier`."""
    exported = load_exported(
        model, weights=weights, size=size, preprocessing=preprocessing, device=device
    )
    return exported or load_classifier(
        model, weights=weights, size=size, preprocessing=preprocessing, device=device
    )


def load_exported(
    model: str,
    *,
    weights: str = "default",
    size: int | None = None,
    preprocessing: str | None = None,
    device: torch.device,
) -> LoadedClassifier | None:
    """Load a bundle, or an ONNX or torch.export file that carries a manifest; None for all else.

    Classes, size and the filter of resizing are those of the manifest, and the file normalises by
    itself. Raises `BundleError` if it is damaged, and `BackboneError` for settings of another.
    """
    path = Path(model)
    ending = path.suffix.lower()
    if ending == _PROGRAM:
        told = read_program_manifest(path)
        if told is None:
            return None
        _refuse_others(path, told, weights, size, preprocessing)
        program = load_classifier(model, preprocessing=RAW, device=device)
        return _of(path, "mixqual torch.export", told, program.classify)
    if is_bundle(path):
        form, where = "mixqual bundle", str(device)
    elif ending == _ONNX and is_exported_onnx(path):
        # The GPU is not asked for by name: onnxruntime need not know it.
        form, where = "mixqual ONNX", "cpu" if device.type == "cpu" else "auto"
    else:
        return None
    threads = torch.get_num_threads()
    predictor = load(path, where)
    torch.set_num_threads(threads)  # a predictor takes all cores
    _refuse_others(path, predictor.manifest, weights, size, preprocessing)
    return _of(
        path,
        form,
        predictor.manifest,
        lambda images_BCHW: torch.from_numpy(predictor.probabilities(images_BCHW.cpu().numpy())),
    )


def _refuse_others(
    path: Path, manifest: Manifest, weights: str, size: int | None, preprocessing: str | None
) -> None:
    """Raise `BackboneError` for settings that are others than the file's own."""
    for option, value in (("preprocessing", preprocessing), ("weights", weights)):
        if value not in (None, "default"):
            raise BackboneError(
                f"{option} {value!r}: {path} has its own, as `mixqual export` wrote it; leave "
                f"--{option} out"
            )
    if size not in (None, manifest.size):
        raise BackboneError(
            f"{path} takes images of {manifest.size} pixels only, not {size}; leave out the size"
        )


def _of(path: Path, form: str, manifest: Manifest, classify: Classify) -> LoadedClassifier:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {
        "format": form,
        "file": path.name,
        "sha256": digest,
        "input": f"grey levels (any, 3, {manifest.size}, {manifest.size})",
        "preprocessing": "its own",
    }
    return LoadedClassifier(
        classify, manifest.size, manifest.interpolation, facts, classes=manifest.classes
    )
