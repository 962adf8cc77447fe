"""A large folder of small images: what a second look costs, and what memory each step takes."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mixqual.bench.peak_memory import watched
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.timing import Ratio
from mixqual.config import DataConfig
from mixqual.data import ImageSet, decode_images, index_images, open_images
from mixqual.data_check import check_data
from mixqual.distortions import distortion
from mixqual.evaluation import Cell, OutputArray, grid_cells, sweep

_FILES, _CLASSES, _SIDE, _SIZE = 100_000, 10, 64, 32
_LONG_AGO = 1_000_000_000


def measure() -> list[Ratio]:
    """Check a folder twice, then decode and sweep it, each with the peak of its memory."""
    with scratch_folder() as scratch:
        root = scratch / "images"
        _write_files(root)
        first, first_seconds, first_growth = watched(lambda: check_data(_config(root)))
        second, second_seconds, _ = watched(lambda: check_data(_config(root)))
        if first != second or first["images"] != _FILES:
            raise AssertionError("two checks of the same files differ")
        _, _, swept_growth = watched(lambda: _decode_and_sweep(root, scratch))
    settings = (
        f"{_FILES} JPEG files of {_SIDE} pixels in {_CLASSES} classes, {os.cpu_count()} cores"
    )
    quotient = first_seconds / second_seconds
    return [
        Ratio(
            "first check of a folder",
            "a second check of the unchanged folder",
            quotient,
            quotient,
            quotient,
            1,
            f"{settings}; {first_seconds:.1f} s and {second_seconds:.1f} s",
        ),
        _memory("check of a folder", first_growth, _SIDE, settings),
        _memory("decoding and sweep of a folder", swept_growth, _SIZE, settings),
    ]


def _memory(what: str, growth: int, side: int, settings: str) -> Ratio:
    whole = _FILES * side * side * 3
    share = growth / whole
    return Ratio(
        f"{what}: peak growth of private memory",
        "the size of all its pixels",
        share,
        share,
        share,
        1,
        f"{settings}; {growth / 2**20:.0f} MiB, {growth / _FILES:.0f} bytes a file",
    )


def _write_files(root: Path) -> None:
    """Write different images, small on disk, that count as unchanged for long."""
    generator = np.random.default_rng(0)
    for number in range(_FILES):
        folder = root / f"class{number % _CLASSES}"
        if number < _CLASSES:
            folder.mkdir(parents=True)
        coarse_HWC = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        fine = Image.fromarray(coarse_HWC).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        path = folder / f"{number:06d}.jpg"
        fine.save(path, quality=90)
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def _config(root: Path) -> DataConfig:
    return DataConfig(source="folder", path=str(root), size=_SIZE)


def _decode_and_sweep(root: Path, scratch: Path) -> None:
    """Sweep the mapped images with a classifier that costs nothing."""
    index = index_images(_config(root))
    decode_images(
        index,
        scratch / "decoded",
        size=_SIZE,
        interpolation="bilinear",
        workers=0,
        on_error="raise",
    )
    images = open_images(scratch / "decoded", 0)

    def predict(images_BCHW: Tensor, _: Cell) -> Tensor:
        return images_BCHW.mean((1, 2, 3))[:, None].expand(-1, _CLASSES)

    sweep(
        {"mean": predict},
        {"mean": OutputArray(scratch / "outputs.zarr", _FILES, _CLASSES)},
        ImageSet(images, np.arange(_FILES)),
        grid_cells({"gaussian_noise": (0.0, 50.0)}, {}),
        {"gaussian_noise": distortion("gaussian_noise")},
        seed=0,
        batch_size=64,
        device=torch.device("cpu"),
        title="bench",
    )
