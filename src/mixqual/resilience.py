"""The resilience of any classifier: how good it is on a folder of images as their quality falls."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import nn

from mixqual.backends import Accelerated, accelerate, check_backend
from mixqual.config import DataConfig, DistortionConfig, RuntimeConfig
from mixqual.data import (
    DecodedImages,
    ImageIndex,
    ImageSet,
    choose_split,
    decode_images,
    has_gray_noise,
    index_images,
    open_images,
)
from mixqual.deploy.exported_classifier import load_any
from mixqual.distortions import Distortion, distortion
from mixqual.doubts import doubts
from mixqual.errors import BackboneError, StudyError
from mixqual.evaluation import (
    Bootstrap,
    Cube,
    Keep,
    OutputArray,
    Scored,
    accuracy_tables,
    grid_cells,
    kept_tables,
    level_rows,
    sweep,
)
from mixqual.evaluation.baselines import (
    ALEXNET_NAME,
    IMAGENET_C,
    alexnet_baseline,
    images_fingerprint,
    read_baseline,
    results_baseline,
)
from mixqual.evaluation.cell_metrics import CellMetrics, measure_cells, rounded
from mixqual.evaluation.corruption_error import corruption_error_results
from mixqual.evaluation.metrics import METRICS
from mixqual.evaluation.severities import Severities
from mixqual.imagenet_c import CORRUPTIONS, NAMES, SEVERITIES, at_size, corruption
from mixqual.level_grids import checked_distortion, grid_facts, level_grid, with_gray_noise
from mixqual.networks.class_order import order_classes
from mixqual.networks.classifiers import (
    DEFAULT_SIZE,
    LoadedClassifier,
    count_outputs,
)
from mixqual.provenance import provenance
from mixqual.results.names import level_key
from mixqual.runtime import set_up_machine
from mixqual.seeding import derive_seed
from mixqual.study_file import make_table

PAPER_DISTORTIONS: Mapping[str, DistortionConfig] = {
    "gaussian_noise": DistortionConfig(max=100.0),
    "gaussian_blur": DistortionConfig(max=10.0),
}


def evaluate(
    model: str,
    folder: str | Path,
    *,
    weights: str = "default",
    size: int | None = None,
    preprocessing: str | None = None,
    classes: str | Sequence[str] | None = None,
    split: str | None = None,
    distortions: Mapping[str, DistortionConfig] | None = None,
    imagenet_c: bool = False,
    baseline: str | Path | None = None,
    grayscale_noise: str = "sensor",
    keep: Sequence[Keep] = (Keep(0.9),),
    seed: int = 0,
    batch_size: int = 64,
    on_error: str = "raise",
    runtime: RuntimeConfig | None = None,
) -> dict[str, Any]:
    """Sweep a classifier over distortions and levels; return a dictionary like a run's results.

    `model` is a torchvision or timm name (with `weights` as in a study file); or
    "module:function", a function from float32 images (B, 3, size, size) in 0...255 to class scores
    (B, K), found from the current folder; or a file of ONNX, TorchScript or torch.export, with its
    `preprocessing` (see `networks.classifiers`). `size` is 224, or what a file fixes. A file of
    `mixqual export` brings all of these, and its classes.

    `folder` holds `class/image`. A folder belongs to the output of its name, where the model has
    names or the folders are ImageNet's WordNet ids. Without names the folders are the outputs in
    the order of plain text; `classes` says otherwise: "numeric", or the names of all outputs (see
    `networks.class_order`). Of given splits the `split` asked for is taken, by default "test" (see
    `data.choose_split`). The results have `doubts` if the accuracy on clean images is that of
    guesses.

    `distortions` are the paper's two unless given. `imagenet_c` adds its 15 corruptions at
    severities 1 to 5, and leaves out the paper's two. `baseline` is a JSON file of results of
    another model on the same images and distortions, or "alexnet" for ImageNet-C alone; with it the
    results have corruption errors. `grayscale_noise` is as in the [data] table of a study. `keep`
    says how much accuracy is enough: results have the levels up to which that much is kept. Raises
    `DataError` if folder and model do not fit, `BackboneError` or `BundleError` for an unusable
    model, `StudyError` for settings that do not fit.
    """
    runtime = runtime or RuntimeConfig()
    machine = set_up_machine(runtime)
    check_backend(runtime.backend)
    if distortions is None:
        distortions = {} if imagenet_c else PAPER_DISTORTIONS
    # Mistakes come to light before a model is loaded, though only its file may know the size.
    _grids(distortions, imagenet_c, likely := size or DEFAULT_SIZE, gray=False)
    earlier = None if baseline in (None, ALEXNET_NAME) else read_baseline(Path(str(baseline)))
    given = {"source": "folder", "path": str(folder), "size": likely, "on_error": on_error}
    data = make_table(DataConfig, "evaluate", **given, grayscale_noise=grayscale_noise)
    # Before the model, whose weights may have to be fetched.
    chosen = choose_split(index_images(data), split)
    loaded = load_any(
        model, weights=weights, size=size, preprocessing=preprocessing, device=machine.device
    )
    outputs = count_outputs(loaded, model, machine.device)
    order = order_classes(chosen.index.classes, outputs, loaded.classes, classes)
    grids = _grids(distortions, imagenet_c, loaded.size, has_gray_noise(data, chosen.index))
    levels = {name: grid.levels for name, grid in grids.items()}
    cells = grid_cells(levels, {})
    with tempfile.TemporaryDirectory(prefix="mixqual-") as scratch:
        images = _decode(chosen.index, Path(scratch), data, loaded)
        labels_N = order.output_of_each[images.labels_N]
        batch = torch.zeros(min(batch_size, len(labels_N)), 3, loaded.size, loaded.size)
        network = _accelerated(
            loaded, model, batch.to(machine.device), len(labels_N) * len(cells), runtime.backend
        )
        results: dict[str, Any] = {
            "name": model,
            "provenance": provenance(machine)
            | {
                "seeds": [seed],
                "images": {"test": len(labels_N)},
                "split": {"used": chosen.name, "aside": chosen.aside},
                "images_fingerprint": images_fingerprint(images),
                "left_out": len(images.left_out),
                "size": loaded.size,
                "weights": weights,
                "classes": list(images.classes),
                "class_order": order.in_words,
                "model": {**loaded.facts, "outputs": outputs},
                "backends": {"model": [network.backend]},
            },
            "models": [model],
            "distortions": {name: dict(grid.facts) for name, grid in grids.items()},
        }
        rates = None
        if baseline == ALEXNET_NAME:
            rates = alexnet_baseline(results["distortions"], outputs)
        elif earlier is not None:
            rates = results_baseline(Path(str(baseline)), earlier, results)
        array = OutputArray(Path(scratch) / "outputs.zarr", len(labels_N), outputs)
        sweep(
            {model: lambda images_BCHW, _: _finite(network.forward(images_BCHW), model)},
            {model: array},
            ImageSet(images, np.arange(len(labels_N))),
            cells,
            {name: grid.kind for name, grid in grids.items()},
            seed=derive_seed(seed, "sweep", "test"),
            batch_size=batch_size,
            device=machine.device,
            title=model,
        )
        measured = measure_cells(Cube({model: array}, cells, labels_N), model)
    results["doubts"] = doubts(measured, outputs, order, loaded)
    scored = Scored(cells, levels, {seed: {model: measured.right_VN}})
    bootstrap = Bootstrap.draw(len(labels_N), 2000, derive_seed(seed, "bootstrap"))
    results["provenance"]["model"]["scores"] = measured.scores
    results |= accuracy_tables(scored, bootstrap)
    results["kept_levels"] = kept_tables(scored, keep, bootstrap)
    results["metrics"] = {model: _by_level(measured, scored)}
    results["metric_info"] = {name: asdict(info) for name, info in METRICS.items()}
    if rates:
        wrong = measured.wrong(model, levels)
        results["corruption_error"] = corruption_error_results(wrong, rates, bootstrap)
    return results | {"left_out": [asdict(file) for file in images.left_out]}


def levels_up_to(name: str, strongest: float, steps: int = 10) -> DistortionConfig:
    """Even levels of a distortion up to its strongest, whichever way its levels go.

    `strongest` is in the distortion's unit at a 224-pixel crop. Raises `DistortionError` for an
    unknown distortion, `StudyError` for a level or a number of steps that cannot be.
    """
    kind = distortion(name)
    field = "min" if kind.worst_level < kind.clean_level else "max"
    values = {field: float(strongest), "steps": steps}
    return make_table(DistortionConfig, f"distortion {name}", **values)


@final
@dataclass(frozen=True)
class _Grid:
    """A distortion, its levels with the clean one first, and what results say of them."""

    kind: Distortion
    levels: tuple[float, ...]
    facts: Mapping[str, Any]


def _grids(
    distortions: Mapping[str, DistortionConfig], imagenet_c: bool, size: int, gray: bool
) -> dict[str, _Grid]:
    """What to sweep over; raises `StudyError` if that is unknown, nothing, or one name twice."""
    grids = {}
    tables = with_gray_noise(distortions) if gray else distortions
    for name, settings in tables.items():
        kind = checked_distortion(name, settings, size)
        levels = level_grid(kind, settings, size)
        grids[name] = _Grid(kind, levels, grid_facts(name, settings, kind, levels))
    benchmark = _imagenet_c(size, gray) if imagenet_c else {}
    for name in grids.keys() & benchmark.keys():
        raise StudyError(
            f"{name} is asked for both by itself and by ImageNet-C; evaluate one after the other"
        )
    grids |= benchmark
    if not grids:
        raise StudyError("there is no distortion to evaluate under; name one, or ImageNet-C")
    return grids


def _imagenet_c(size: int, gray: bool) -> dict[str, _Grid]:
    """The corruptions of ImageNet-C; lengths in pixels are scaled as those of other grids are."""
    grids = {}
    for name in NAMES:
        kind = Severities(
            name, [at_size(name, severity, size, gray=gray) for severity in SEVERITIES]
        )
        steps = [
            asdict(corruption(name, severity, gray=gray)) | {"level": round(level, 6)}
            for severity, (_, level) in zip(SEVERITIES, kind.steps, strict=True)
        ]
        levels = (0.0, *map(float, SEVERITIES))
        facts = {
            "quantity": kind.quantity,
            "unit": kind.unit,
            "levels": list(levels),
            "max_at_224": kind.worst_level,
            "kind": IMAGENET_C,
            "options": {},
            "exact": CORRUPTIONS[name].exact,
            "steps": steps,
        }
        grids[name] = _Grid(kind, levels, facts)
    return grids


def _decode(
    index: ImageIndex, cache: Path, data: DataConfig, loaded: LoadedClassifier
) -> DecodedImages:
    decode_images(
        index,
        cache,
        size=loaded.size,
        interpolation=loaded.interpolation,
        workers=data.workers,
        on_error=data.on_error,
    )
    return open_images(cache, data.memory_budget_mb)


def _finite(scores_BK: torch.Tensor, model: str) -> torch.Tensor:
    """The scores of a batch; raises `BackboneError` unless they are numbers."""
    if not bool(torch.isfinite(scores_BK).all()):
        raise BackboneError(
            f"{model} gives scores that are NaN or infinite; check its weights and preprocessing"
        )
    return scores_BK


def _accelerated(
    loaded: LoadedClassifier, model: str, example_BCHW: torch.Tensor, ahead: int, backend: str
) -> Accelerated:
    """Networks run by the backend; functions and files as they are, which knows no choice."""
    if isinstance(loaded.classify, nn.Module):
        return accelerate(loaded.classify, example_BCHW, ahead, backend)
    if backend not in ("auto", "eager"):
        raise StudyError(
            f"runtime.backend = {backend!r} is for networks by name; {model!r} runs as it is, so "
            'choose "auto"'
        )
    return Accelerated(loaded.classify, "as it is")


def _by_level(measured: CellMetrics, scored: Scored) -> dict[str, Any]:
    """The metrics of each distortion and level, the clean cell in every distortion."""
    return {
        name: {
            level_key(level): rounded(measured.metrics[scored.cells[row]])
            for level, row in zip(levels, level_rows(scored.cells, name, levels), strict=True)
        }
        for name, levels in scored.levels.items()
    }
