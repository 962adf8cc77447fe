"""The outputs of one network for one set of images: an array (cell, image, output) on disk.

It grows by cells and is written in blocks of images, so a killed sweep goes on at its next block
and a new level adds only its own cells. Each block has a checksum beside it, of its numbers and of
what they are: one that is damaged, or stands in another's place, counts as not written.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import zarr
from numpy.typing import NDArray

from mixqual.artifacts import refusing_full_disk, sync
from mixqual.errors import RunError
from mixqual.evaluation.bounded_parts import BLOCK
from mixqual.made import Maker, checksum
from mixqual.progress import say
from mixqual.results.names import CLEAN

Floats = NDArray[np.float32]
_META, _BLOCKS = "zarr.json", "c"  # as zarr names them
_SUMS = "sums"


@final
@dataclass(frozen=True)
class Cell:
    """One distortion at one level, and which of several random draws of it."""

    distortion: str
    level: float
    draw: int = 0


CLEAN_CELL = Cell(CLEAN, 0.0)


class DamagedArray(RunError):
    """What an array says of itself cannot be read, or is not what was written."""


@final
class OutputArray:
    """The outputs of one network for one set of images, cell by cell."""

    def __init__(
        self, path: Path, images: int, outputs: int, proven: set[tuple[int, int]] | None = None
    ) -> None:
        """Open the array at `path`, or make an empty one; raises `DamagedArray`.

        `proven` are the cells, by their place, and blocks that this process has found sound.
        """
        self.path = path
        self.images = images
        self.outputs = outputs
        self.blocks = math.ceil(images / BLOCK)
        self._proven = set() if proven is None else proven
        with refusing_full_disk(path):
            array = _open(path) if _is_begun(path) else _make(path, images, outputs)
        if array.shape[1:] != (images, outputs):
            raise DamagedArray(
                f"it holds {array.shape[1:]} images and outputs, not {(images, outputs)}"
            )
        self._array = array
        self._said = _said(array, path.name)
        self._cells = [Cell(*cell) for cell in self._said["cells"]]

    @staticmethod
    def reopen(path: Path) -> "OutputArray":
        """Open an array that is there, of whatever size."""
        _, images, outputs = _open(path).shape
        return OutputArray(path, images, outputs)

    @property
    def cells(self) -> list[Cell]:
        """The cells that the array has room for, whether written yet or not."""
        return list(self._cells)

    @property
    def backends(self) -> tuple[str, ...]:
        """What the network ran as, by `note_backend`: several if a sweep went on with another."""
        return tuple(self._said["backends"])

    @property
    def makers(self) -> tuple[Maker | None, ...]:
        """What has filled it, by `note_maker`; None for what was there before this was noted."""
        return tuple(self._said["makers"])

    def note_backend(self, name: str) -> None:
        """Keep with the outputs what the network runs as that fills them from now on."""
        if name not in self.backends:
            self._say(backends=[*self.backends, name])

    def note_maker(self, maker: Maker | None) -> None:
        """Keep with the outputs what fills them from now on."""
        if maker not in self.makers:
            self._say(makers=[*self.makers, maker])

    def add_cells(self, cells: Sequence[Cell]) -> None:
        """Make room for cells that are not there yet."""
        new = [cell for cell in cells if cell not in self._cells]
        if not new:
            return
        cells_after = self._cells + new
        # The shape first: room without a name is never read, a name without room would be.
        with refusing_full_disk(self.path):
            self._array.resize((len(cells_after), *self._array.shape[1:]))
        self._say(cells=[_row(cell) for cell in cells_after])
        self._cells = cells_after

    def seal(self) -> None:
        """Give checksums to the blocks of an array of before there were any, as they are.

        Nobody else may change it meanwhile.
        """
        if self._said["sums"]:
            return
        for cell in self._cells:
            for block in range(self.blocks):
                values_NK = self._values(cell, block)
                if values_NK is not None and not np.isnan(values_NK[0, :1]).any():
                    self._write_sum(cell, block, values_NK)
        self._say(sums=True, makers=[None] if self._cells else [])

    def block(self, number: int) -> slice:
        """The images of a block."""
        return slice(number * BLOCK, min((number + 1) * BLOCK, self.images))

    def has(self, cell: Cell, block: int) -> bool:
        """Whether a block is written, and is what was written; damage is told."""
        if cell not in self._cells:
            return False
        place = self._cells.index(cell), block
        if place in self._proven:
            return True
        values_NK = self._values(cell, block)
        if values_NK is None:
            return False
        if not self._said["sums"]:  # of before there were checksums: unwritten ones read as NaN
            return not bool(np.isnan(values_NK[0, :1]).any())
        told = self._read_sum(*place)
        if told is None and np.isnan(values_NK).all():
            return False
        if told != self._sum(cell, block, values_NK):
            self._tell(cell, block)
            return False
        self._proven.add(place)
        return True

    def is_full(self, cells: Sequence[Cell]) -> bool:
        """Whether every block of these cells is written."""
        # All of them are looked at, so that all damage is told at once.
        found = [self.has(cell, block) for cell in cells for block in range(self.blocks)]
        return all(found)

    def write(self, cell: Cell, block: int, values_NK: Floats) -> None:
        """Write a block; raises `RunError` if its numbers are not finite."""
        if not np.isfinite(values_NK).all():
            raise RunError(
                f"{self.path}: the network gives answers that are NaN or infinite under "
                f"{_words(cell)}; its training diverged, or its weights are damaged"
            )
        values_NK = np.asarray(values_NK, dtype=np.float32)
        with refusing_full_disk(self.path):
            self._array[self._cells.index(cell), self.block(block)] = values_NK
            self._write_sum(cell, block, values_NK)

    def read(self, cell: Cell, images: slice = slice(None)) -> Floats:
        """The outputs (image, output) of some images in a cell, all of them unless told.

        Raises `RunError` if the cell is not whole.
        """
        if not self.is_full([cell]):
            raise RunError(f"{self.path} lacks {cell}; run the study again to compute it")
        return np.asarray(self._array[self._cells.index(cell), images], dtype=np.float32)

    def _say(self, **changes: Any) -> None:
        said = {**self._said, **changes}
        with refusing_full_disk(self.path):
            self._array.update_attributes({**said, "checksum": checksum(self.path.name, said)})
            sync(self.path / _META)
        self._said = said

    def _values(self, cell: Cell, block: int) -> Floats | None:
        """The numbers of a block; None, with a line that says so, if they cannot be read."""
        row = self._cells.index(cell)
        try:
            return np.asarray(self._array[row, self.block(block)], dtype=np.float32)
        except Exception:  # each codec fails in its own way
            self._tell(cell, block)
            return None

    def _tell(self, cell: Cell, block: int) -> None:
        say(f"{self.path}: block {block} of {cell} is damaged; it is computed again")

    def _sum(self, cell: Cell, block: int, values_NK: Floats) -> str:
        what = json.dumps([self.path.name, _row(cell), block])
        return hashlib.sha256(what.encode() + np.ascontiguousarray(values_NK).tobytes()).hexdigest()

    def _write_sum(self, cell: Cell, block: int, values_NK: Floats) -> None:
        path = self._sum_file(self._cells.index(cell), block)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.partial")
        temporary.write_text(self._sum(cell, block, values_NK), encoding="utf-8")
        os.replace(temporary, path)  # a power cut may lose it or its block, which is then not whole

    def _read_sum(self, row: int, block: int) -> str | None:
        try:
            return self._sum_file(row, block).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def _sum_file(self, row: int, block: int) -> Path:
        return self.path / _SUMS / f"{row}.{block}"


def _row(cell: Cell) -> list[Any]:
    return [cell.distortion, float(cell.level), cell.draw]


def _is_begun(path: Path) -> bool:
    if not (path / _META).exists() and (path / _BLOCKS).exists():
        raise DamagedArray(f"its {_META} is missing")
    return (path / _META).exists()


def _open(path: Path) -> Any:
    try:
        return zarr.open_array(path, mode="r+")
    except Exception as error:  # of many kinds, as its file is text that anything may have become
        raise DamagedArray(f"its {_META} cannot be read ({type(error).__name__})") from None


def _words(cell: Cell) -> str:
    return f"{cell.distortion} at level {cell.level:g}"


def _make(path: Path, images: int, outputs: int) -> Any:
    said: dict[str, Any] = {"cells": [], "backends": [], "makers": [], "sums": True}
    array = zarr.create_array(
        path,
        shape=(0, images, outputs),
        chunks=(1, min(BLOCK, images), outputs),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=("cell", "image", "output"),
        attributes={**said, "checksum": checksum(path.name, said)},
    )
    sync(path / _META)
    return array


def _said(array: Any, name: str) -> dict[str, Any]:
    """What an array says of itself, but for the checksum of it; raises `DamagedArray`."""
    said: dict[str, Any] = dict(array.attrs)
    told = said.pop("checksum", None)
    if told is None and "cells" in said and "sums" not in said:  # of before there was one
        return {"backends": [], "makers": [], **said, "sums": False}
    if told != checksum(name, said):
        raise DamagedArray(f"what its {_META} says of its cells is not what was written")
    return said
