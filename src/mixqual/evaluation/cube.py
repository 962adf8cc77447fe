"""The cube: the outputs of every network for every distortion, level and image.

The clean images are one cell, shared by all distortions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mixqual.evaluation.bounded_parts import PART_BYTES, parts_of
from mixqual.evaluation.outputs import CLEAN_CELL, Cell, Floats, OutputArray


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
@dataclass(frozen=True)
class Cube:
    """The outputs of several networks for the same images and cells."""

    arrays: Mapping[str, OutputArray]
    cells: Sequence[Cell]
    labels_N: NDArray[np.int64]
    part_bytes: int = PART_BYTES

    @property
    def parts(self) -> list[slice]:
        """The images, in parts of bounded size: what is read of several networks at once."""
        outputs = max(array.outputs for array in self.arrays.values())
        return parts_of(len(self.labels_N), outputs, self.part_bytes)

    def read(self, cell: Cell, names: Sequence[str], images: slice = slice(None)) -> Floats:
        """The outputs (network, image, output) of the named networks in a cell."""
        return np.stack([self.arrays[name].read(cell, images) for name in names])

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
    classes: int
    read: Callable[[Cell, slice], NDArray[np.floating]]
    """The probabilities (image, class) of some images in a cell."""
    part_bytes: int = PART_BYTES

    @property
    def parts(self) -> list[slice]:
        """The images, in parts of bounded size."""
        return parts_of(len(self.labels_N), self.classes, self.part_bytes)

    def right_VN(self) -> NDArray[np.bool_]:
        """Whether the class with the highest probability is the true one, (cell, image)."""
        answers = [
            np.concatenate([self.read(cell, part).argmax(1) for part in self.parts])
            for cell in self.cells
        ]
        right_VN: NDArray[np.bool_] = np.stack(answers) == self.labels_N
        return right_VN
