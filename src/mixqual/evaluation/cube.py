"""The cube: the outputs of every network for every distortion, level and image.

Each network has one zarr array of shape (cell, image, output), which grows by cells and is written
in blocks of images, so a killed sweep goes on at its next block and a new level adds only its own
cells. The clean images are one cell, shared by all distortions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from mixqual.artifacts import refusing_full_disk
from mixqual.errors import RunError

CLEAN = "clean"
# Images a block: the unit that is written, and that an interrupted sweep does again.
BLOCK = 1024

Floats = NDArray[np.float32]


@final
@dataclass(frozen=True)
class Cell:
    """One distortion at one level, and which of several random draws of it."""

    distortion: str
    level: float
    draw: int = 0


CLEAN_CELL = Cell(CLEAN, 0.0)


def grid_cells(levels: Mapping[str, Sequence[float]], draws: Mapping[str, int]) -> list[Cell]:
    """The clean cell, then every other level of every distortion in each of its draws.

    The first of a distortion's levels is the clean one.
    """
    return [CLEAN_CELL] + [
        Cell(name, level, draw)
        for name, values in levels.items()
        for level in values[1:]
        for draw in range(draws.get(name, 1))
    ]


@final
class OutputArray:
    """The outputs of one network for one set of images, cell by cell."""

    def __init__(self, path: Path, images: int, outputs: int) -> None:
        """Open the array at `path`, or make an empty one."""
        self.path = path
        self.images = images
        self.blocks = math.ceil(images / BLOCK)
        with refusing_full_disk(path):
            if (path / "zarr.json").exists():
                array = zarr.open_array(path, mode="r+")
            else:
                array = zarr.create_array(
                    path,
                    shape=(0, images, outputs),
                    chunks=(1, min(BLOCK, images), outputs),
                    dtype="float32",
                    fill_value=float("nan"),
                    dimension_names=("cell", "image", "output"),
                    attributes={"cells": [], "backends": []},
                )
        if array.shape[1:] != (images, outputs):
            raise RunError(
                f"{path} holds {array.shape[1:]} images and outputs, not {(images, outputs)}; "
                "delete it and run the study again"
            )
        self._array = array
        self._cells = [Cell(*cell) for cell in array.attrs["cells"]]  # type: ignore[misc, union-attr]
        backends: Any = array.attrs.get("backends", [])
        self._backends: tuple[str, ...] = tuple(backends)

    @staticmethod
    def reopen(path: Path) -> "OutputArray":
        """Open an array that is there, of whatever size."""
        _, images, outputs = zarr.open_array(path, mode="r").shape
        return OutputArray(path, images, outputs)

    @property
    def cells(self) -> list[Cell]:
        """The cells that the array has room for, whether written yet or not."""
        return list(self._cells)

    @property
    def backends(self) -> tuple[str, ...]:
        """What the network ran as, by `note_backend`: several if a sweep went on with another."""
        return self._backends

    def note_backend(self, name: str) -> None:
        """Keep with the outputs what the network runs as that fills them from now on."""
        if name not in self._backends:
            self._backends = (*self._backends, name)
            with refusing_full_disk(self.path):
                self._array.update_attributes({"backends": list(self._backends)})

    def add_cells(self, cells: Sequence[Cell]) -> None:
        """Make room for cells that are not there yet."""
        new = [cell for cell in cells if cell not in self._cells]
        if not new:
            return
        cells_after = self._cells + new
        # The shape first: room without a name is never read, a name without room would be.
        rows: list[Any] = [[cell.distortion, cell.level, cell.draw] for cell in cells_after]
        with refusing_full_disk(self.path):
            self._array.resize((len(cells_after), *self._array.shape[1:]))
            self._array.update_attributes({"cells": rows})
        self._cells = cells_after

    def block(self, number: int) -> slice:
        """The images of a block."""
        return slice(number * BLOCK, min((number + 1) * BLOCK, self.images))

    def has(self, cell: Cell, block: int) -> bool:
        """Whether a block is written: blocks are written whole, and unwritten ones read as NaN."""
        if cell not in self._cells:
            return False
        first = self._array[self._cells.index(cell), block * BLOCK, :1]
        return not bool(np.isnan(np.asarray(first)).any())

    def is_full(self, cells: Sequence[Cell]) -> bool:
        """Whether every block of these cells is written."""
        return all(self.has(cell, block) for cell in cells for block in range(self.blocks))

    def write(self, cell: Cell, block: int, values_NK: Floats) -> None:
        """Write a block."""
        with refusing_full_disk(self.path):
            self._array[self._cells.index(cell), self.block(block)] = values_NK

    def read(self, cell: Cell) -> Floats:
        """The outputs (image, output) of a cell."""
        return np.asarray(self._array[self._cells.index(cell)], dtype=np.float32)


@final
@dataclass(frozen=True)
class Cube:
    """The outputs of several networks for the same images and cells."""

    arrays: Mapping[str, OutputArray]
    cells: Sequence[Cell]
    labels_N: NDArray[np.int64]

    def read(self, cell: Cell, names: Sequence[str]) -> Floats:
        """The outputs (network, image, output) of the named networks in a cell."""
        return np.stack([self.arrays[name].read(cell) for name in names])

    def draws(self, distortion: str, level: float) -> list[Cell]:
        """The cells of a distortion's level that is not clean, one for each draw."""
        return [c for c in self.cells if c.distortion == distortion and c.level == level]

    def to_xarray(self, names: Sequence[str]) -> xr.DataArray:
        """The whole cube as a labelled array (network, cell, image, class), in memory."""
        return xr.DataArray(
            np.stack([self.read(cell, names) for cell in self.cells], axis=1),
            dims=("network", "cell", "image", "class"),
            coords={
                "network": list(names),
                "distortion": ("cell", [cell.distortion for cell in self.cells]),
                "level": ("cell", [cell.level for cell in self.cells]),
                "draw": ("cell", [cell.draw for cell in self.cells]),
                "label": ("image", self.labels_N),
            },
            name="probability",
        )


@final
@dataclass(frozen=True)
class Predicted:
    """What one model says of the images of a set, cell by cell."""

    cells: Sequence[Cell]
    labels_N: NDArray[np.int64]
    read: Callable[[Cell], NDArray[np.floating]]
    """The probabilities (image, class) of a cell."""

    def right_VN(self) -> NDArray[np.bool_]:
        """Whether the class with the highest probability is the true one, (cell, image)."""
        return np.stack([self.read(cell).argmax(1) == self.labels_N for cell in self.cells])
