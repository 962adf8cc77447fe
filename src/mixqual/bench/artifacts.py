"""What it costs to prove artifacts by their checksums, and to have them on the disk."""

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from mixqual import made
from mixqual.artifacts import replace_durably
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.timing import Ratio, compare
from mixqual.evaluation import Cell, OutputArray

_PART_MIB, _PARTS = 32, 8
_IMAGES, _CLASSES, _CELLS = 4096, 100, 10


def measure() -> list[Ratio]:
    """Files are in the system's cache."""
    with scratch_folder() as folder:
        return [*_artifact(folder), *_outputs(folder)]


def _artifact(folder: Path) -> list[Ratio]:
    whole = folder / "network-1"
    whole.mkdir()
    for number in range(_PARTS):
        content = np.random.default_rng(number).bytes(_PART_MIB * 2**20)
        (whole / f"{number}.safetensors").write_bytes(content)
    made.seal(whole, whole.name, None)
    size = f"{_PARTS} files of {_PART_MIB} MiB"
    return [
        compare(
            "checking an artifact",
            partial(made.check, whole, whole.name),
            "floor: reading it",
            partial(_read, whole),
            settings=size,
        ),
        compare(
            "an artifact on the disk before it has its name",
            partial(_write, whole, folder, replace_durably),
            "the same without a sync",
            partial(_write, whole, folder, os.replace),
            settings=size,
            repetitions=3,
        ),
    ]


def _outputs(folder: Path) -> list[Ratio]:
    path = folder / "outputs-1.zarr"
    array = OutputArray(path, _IMAGES, _CLASSES)
    cells = [Cell("noise", float(level)) for level in range(_CELLS)]
    array.add_cells(cells)
    for cell in cells:
        for block in range(array.blocks):
            shape = array.block(block).stop - array.block(block).start, _CLASSES
            array.write(cell, block, np.random.default_rng(0).random(shape, np.float32))
    return [
        compare(
            "opening outputs and checking all blocks",
            lambda: OutputArray(path, _IMAGES, _CLASSES).is_full(cells),
            "floor: reading their numbers",
            lambda: [array._array[row] for row in range(_CELLS)],
            settings=f"{_CELLS} cells of {_IMAGES} images and {_CLASSES} classes",
        )
    ]


def _read(folder: Path) -> None:
    for path in folder.iterdir():
        path.read_bytes()


def _write(source: Path, folder: Path, rename: object) -> None:
    assert callable(rename)
    target = folder / "network-2"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, folder / "network-2.partial")
    rename(folder / "network-2.partial", target)
