"""The sweep's memory does not grow with the number of images."""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mixqual.data import DecodedImages, ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import Cell, OutputArray, grid_cells, sweep

SIDE = 64
MIB = 2**20


def _private_memory() -> int:
    """Bytes of this process that no file backs: what an array that is copied adds to."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def _mapped_images(path: Path, count: int) -> ImageSet:
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE, 3))
    pixels[:] = np.arange(count, dtype=np.uint8)[:, None, None, None]
    pixels.flush()
    images = DecodedImages(
        pixels_NHWC=np.load(path, mmap_mode="r"),
        labels_N=np.zeros(count, dtype=np.int64),
        ids=tuple(map(str, range(count))),
        splits=(None,) * count,
        classes=("only",),
        left_out=(),
        credit="",
    )
    return ImageSet(images, np.arange(count))


def _peak_of_sweep(folder: Path, count: int) -> int:
    """The most private memory at any batch, above that at the first."""
    seen: list[int] = []

    def predict(images_BCHW: Tensor, _: Cell) -> Tensor:
        seen.append(_private_memory())
        return images_BCHW.mean((2, 3))

    sweep(
        {"mean": predict},
        {"mean": OutputArray(folder / f"{count}.zarr", count, 3)},
        _mapped_images(folder / f"{count}.npy", count),
        grid_cells({"gaussian_noise": (0.0, 9.0), "gaussian_blur": (0.0, 2.0)}, {}),
        {name: distortion(name) for name in ("gaussian_noise", "gaussian_blur")},
        seed=0,
        batch_size=64,
        device=torch.device("cpu"),
    )
    return max(seen) - seen[0]


def test_memory_is_flat_in_the_number_of_images(tmp_path: Path) -> None:
    _peak_of_sweep(tmp_path, 256)  # warms up the libraries' own buffers
    few, many = _peak_of_sweep(tmp_path, 1024), _peak_of_sweep(tmp_path, 8192)
    held_if_copied = 8192 * SIDE * SIDE * 3  # as uint8; as float four times that
    assert many - few < held_if_copied // 2, f"{few / MIB:.0f} MiB, then {many / MIB:.0f} MiB"
