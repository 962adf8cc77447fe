"""The resilience of any classifier: its accuracy on a folder of images as their quality falls."""

import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.data import ImageNetInfo
from torch import Tensor

from mixqual.config import BackboneConfig, DataConfig, DistortionConfig, RuntimeConfig
from mixqual.data import ImageSet, decode_images, index_images, open_images
from mixqual.errors import BackboneError, DataError
from mixqual.evaluation import Bootstrap, Cube, OutputArray, grid_cells, sweep
from mixqual.networks import Classifier, load_backbone
from mixqual.plan import checked_distortion, level_grid
from mixqual.provenance import provenance
from mixqual.results import Scored, accuracy_tables
from mixqual.runtime import place, set_up_machine
from mixqual.seeding import derive_seed
from mixqual.study_file import make_table

Classify = Callable[[Tensor], Tensor]
"""From float images_BCHW in 0...255 to scores_BK."""

PAPER_DISTORTIONS: Mapping[str, DistortionConfig] = {
    "gaussian_noise": DistortionConfig(max=100.0),
    "gaussian_blur": DistortionConfig(max=10.0),
}


def evaluate(
    model: str,
    folder: str | Path,
    *,
    weights: str = "default",
    size: int = 224,
    distortions: Mapping[str, DistortionConfig] = PAPER_DISTORTIONS,
    seed: int = 0,
    batch_size: int = 64,
    on_error: str = "raise",
    runtime: RuntimeConfig | None = None,
) -> dict[str, Any]:
    """Sweep a classifier over distortions and levels; return a dictionary like a run's results.

    `model` is a torchvision or timm name (with `weights` as in a study file), or
    "module:function": a function from float32 images (B, 3, size, size) in 0...255 to class scores
    (B, K), found from the current folder. `folder` holds `class/image`; its sorted classes are the
    model's outputs in order, or ImageNet's if the folders are named by WordNet ids. Given splits
    are taken together. Raises `DataError` if they do not fit, `BackboneError` for an unknown model.
    """
    machine = set_up_machine(runtime or RuntimeConfig())
    kinds = {name: checked_distortion(name, given) for name, given in distortions.items()}
    levels = {name: level_grid(kinds[name], given, size) for name, given in distortions.items()}
    data = make_table(
        DataConfig, "evaluate", source="folder", path=str(folder), size=size, on_error=on_error
    )
    index = index_images(data)  # before the model, whose weights may have to be fetched
    classify, interpolation = _load(model, weights, machine.device)
    with tempfile.TemporaryDirectory(prefix="mixqual-") as scratch:
        cache = Path(scratch)
        decode_images(
            index,
            cache,
            size=size,
            interpolation=interpolation,
            workers=data.workers,
            on_error=on_error,
        )
        images = open_images(cache, data.memory_budget_mb)
        everything = ImageSet(images, np.arange(len(images.ids)))
        outputs = _count_outputs(classify, size, machine.device)
        labels_N = _output_of(images.classes, outputs)[images.labels_N]
        array = OutputArray(cache / "outputs.zarr", len(everything), outputs)
        cells = grid_cells(levels, {})
        sweep(
            {model: lambda images_BCHW, _: classify(images_BCHW)},
            {model: array},
            everything,
            cells,
            kinds,
            seed=derive_seed(seed, "sweep", "test"),
            batch_size=batch_size,
            device=machine.device,
            title=model,
        )
        cube = Cube({model: array}, cells, labels_N)
        right = np.stack([cube.read(cell, [model])[0].argmax(1) == labels_N for cell in cells])
    scored = Scored(cells, levels, {seed: {model: right}})
    bootstrap = Bootstrap.draw(len(labels_N), 2000, derive_seed(seed, "bootstrap"))
    return {
        "name": model,
        "provenance": provenance(machine)
        | {
            "seeds": [seed],
            "images": {"test": len(labels_N)},
            "left_out": len(images.left_out),
            "size": size,
            "weights": weights,
            "classes": list(images.classes),
        },
        "models": [model],
        "distortions": {
            name: {
                "unit": kinds[name].unit,
                "levels": list(levels[name]),
                "max_at_224": distortions[name].max,
            }
            for name in levels
        },
        **accuracy_tables(scored, bootstrap),
        "left_out": [asdict(file) for file in images.left_out],
    }


def _load(model: str, weights: str, device: torch.device) -> tuple[Classify, str]:
    """The classifier, and the filter that its images are resized with."""
    if ":" in model:
        return _import_function(model), "bilinear"
    backbone, preprocessing = load_backbone(BackboneConfig(name=model, weights=weights))
    network = place(Classifier(backbone, preprocessing), device)
    return network.eval(), preprocessing.interpolation


def _import_function(model: str) -> Classify:
    module_name, _, function_name = model.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise BackboneError(
            f"model {model!r} cannot be imported ({error}); write module:function, where the "
            "module can be found from the current folder"
        ) from None
    if not callable(function):
        raise BackboneError(f"model {model!r} is a {type(function).__name__}, not a function")
    return function  # type: ignore[no-any-return]


def _count_outputs(classify: Classify, size: int, device: torch.device) -> int:
    with torch.inference_mode():
        scores = classify(torch.zeros(2, 3, size, size, device=device))
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 2:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise BackboneError(
            f"the model must return scores of shape (images, classes), but for 2 images it "
            f"returned {found}"
        )
    return scores.shape[1]


def _output_of(classes: tuple[str, ...], outputs: int) -> np.ndarray:
    """The model's output for each class of the folder."""
    if len(classes) == outputs:
        return np.arange(outputs)
    if outputs == 1000:
        position = {name: index for index, name in enumerate(ImageNetInfo().label_names())}
        unknown = [name for name in classes if name not in position]
        if not unknown:
            return np.array([position[name] for name in classes])
        raise DataError(
            f"the model has ImageNet's 1000 classes, but folder {unknown[0]!r} is not named by a "
            "WordNet id such as n01440764; rename the class folders, or evaluate a model trained "
            f"on these {len(classes)} classes"
        )
    raise DataError(
        f"the model has {outputs} classes, but the folder has {len(classes)} "
        f"({', '.join(classes[:5])}...); they must be the same, in the same order"
    )
