"""What memory a sweep and an epoch take for some images, and for four times as many."""

import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator

from mixqual.bench.noise_images import noise_images
from mixqual.bench.peak_memory import private_bytes, watched
from mixqual.bench.timing import Ratio
from mixqual.bench.training_task import training_task
from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.data import ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import OutputArray, grid_cells, sweep
from mixqual.networks import Classifier, build_classifier
from mixqual.runtime import place
from mixqual.training import fit

_CPU = torch.device("cpu")
_BATCH, _CLASSES, _MORE = 32, 4, 4
_NOISE = {"gaussian_noise": distortion("gaussian_noise")}


class _Setting(NamedTuple):
    backbone: str = "timm/test_efficientnet"
    side: int = 64
    images: int = 1024


_SETTING = _Setting()
_Run = Callable[[Classifier, ImageSet], None]


def measure() -> list[Ratio]:
    """Each in a process of its own, whose allocator has kept nothing; images are not counted."""
    return [_growth(what, run) for what, run in (("a sweep", _sweep), ("an epoch", _epoch))]


def _growth(what: str, run: _Run) -> Ratio:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        few, many = pool.submit(_peaks, run, _SETTING).result()
    quotient = many / few
    return Ratio(
        f"peak growth of private memory in {what} of {_MORE * _SETTING.images} images",
        f"in {what} of {_SETTING.images} images",
        quotient,
        quotient,
        quotient,
        1,
        f"{_SETTING.backbone} at {_SETTING.side} pixels, batch {_BATCH}, without the decoded "
        f"images; {many / 2**20:.0f} MiB and {few / 2**20:.0f} MiB",
    )


def _peaks(run: _Run, setting: _Setting) -> tuple[int, int]:
    """The peaks for few and for many images, both above what is held before the first."""
    config = BackboneConfig(name=setting.backbone, weights="random")
    network = place(build_classifier(config, _CLASSES, 0), _CPU)
    few, many = (noise_images(n * setting.images, setting.side) for n in (1, _MORE))
    before = private_bytes()
    first = watched(partial(run, network, few))[2]
    kept = private_bytes() - before
    return first, kept + watched(partial(run, network, many))[2]


def _sweep(network: Classifier, images: ImageSet) -> None:
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        sweep(
            {"one": lambda images_BCHW, _: network(images_BCHW)},
            {"one": OutputArray(Path(folder) / "one", len(images), _CLASSES)},
            images,
            grid_cells({"gaussian_noise": (0.0, 50.0)}, {}),
            _NOISE,
            seed=0,
            batch_size=_BATCH,
            device=_CPU,
            title="bench",
        )


def _epoch(network: Classifier, images: ImageSet) -> None:
    config, accelerator = TrainingConfig(batch_size=_BATCH, max_epochs=1), Accelerator(cpu=True)
    with tempfile.TemporaryDirectory() as folder:
        task = training_task(images, images, {"gaussian_noise": 0.5}, {"gaussian_noise": 100.0})
        fit(network, [], task, config, accelerator, Path(folder))
