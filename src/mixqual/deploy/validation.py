"""The validation images of a finished run, as its experts and its gate were chosen on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.data import ImageSet, open_images, read_splits
from mixqual.deploy.manifest import Manifest
from mixqual.errors import RunError
from mixqual.evaluation import Cell, distort_cell, draw_seed, grid_cells
from mixqual.finished_run import FinishedRun
from mixqual.level_grids import distortion_of
from mixqual.made import check
from mixqual.seeding import derive_seed
from mixqual.thresholds import cell_weights

Classify = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""From images (B, 3, size, size) to probabilities_BK."""

_CALIBRATING, _MEASURING = 8, 128
"""Images at most."""
_LEVELS = 5
"""Of each distortion, beside the clean one."""
_MEMORY_MB = 2048


@final
@dataclass(frozen=True)
class Validation:
    """Some validation images, in the distortions that the mixture was trained for."""

    images: ImageSet
    cells: list[Cell]
    weights_V: NDArray[np.float64]
    """Their product with the accuracies in the cells is the average AUC."""
    finished: FinishedRun

    @property
    def measuring(self) -> list[int]:
        """The positions of the images that AUC is measured on; the others are to calibrate with."""
        every = 1 + _MEASURING // _CALIBRATING
        return [n for n in self._chosen() if n not in self._chosen()[::every]]

    def calibrating(self) -> list[NDArray[np.uint8]]:
        """A few images in every cell, a batch each; AUC is measured on none of them."""
        positions = self._chosen()[:: 1 + _MEASURING // _CALIBRATING]
        return [self._shown(cell, positions) for cell in self.cells]

    def auc(self, classify: Classify) -> float:
        """The average AUC of a classifier over the levels of the cells."""
        labels_B = self.images.labels_N.numpy()[self.measuring]
        right_V = [
            float((classify(self._shown(cell, self.measuring)).argmax(1) == labels_B).mean())
            for cell in self.cells
        ]
        return float(self.weights_V @ np.array(right_V))

    def _chosen(self) -> list[int]:
        """Positions in the set, evenly drawn."""
        count = min(len(self.images), _CALIBRATING + _MEASURING)
        return [round(n) for n in np.linspace(0, len(self.images) - 1, count)]

    def _shown(self, cell: Cell, positions: list[int]) -> NDArray[np.uint8]:
        images_BCHW, _ = self.images.batch(positions)
        facts = self.finished.results.distortions
        kinds = {name: distortion_of(told, self.finished.size) for name, told in facts.items()}
        seed = draw_seed(derive_seed(0, "sweep", "val"), cell)
        distorted_BCHW = distort_cell(images_BCHW, cell, kinds, seed)
        values_BCHW: NDArray[np.float32] = distorted_BCHW.round().clamp(0, 255).numpy()
        return values_BCHW.astype(np.uint8)


def find_validation(finished: FinishedRun, manifest: Manifest) -> Validation | None:
    """The decoded validation images in the run's folder; None if they are gone, or not told apart.

    Several settings may have been run in one folder: only images of the size and number that the
    results tell of are taken.
    """
    images = _find_images(finished)
    if images is None:
        return None
    levels = {name: _thinned(grid.levels) for name, grid in manifest.distortions.items()}
    cells = grid_cells(levels, {})
    return Validation(images, cells, cell_weights(cells, levels), finished)


def _find_images(finished: FinishedRun) -> ImageSet | None:
    root, found = finished.root / "artifacts", []
    count = finished.results.provenance.images["val"]
    for folder in sorted(root.glob("images-*")):
        _refuse_damage(folder)
        for split in sorted(root.glob("split-*/splits.csv")):
            _refuse_damage(split.parent)
            try:
                images = open_images(folder, _MEMORY_MB)
                chosen = read_splits(split, images)["val"]
            except RunError:  # of other settings, or damaged
                continue
            if images.pixels_NHWC.shape[1] == finished.size and len(chosen) == count:
                found.append(ImageSet(images, chosen))
    return found[0] if len(found) == 1 else None


def _refuse_damage(folder: Path) -> None:
    try:
        check(folder, folder.name)
    except RunError as error:
        raise RunError(
            f"{folder} is damaged: {error}; run the study again, which makes it again"
        ) from None


def _thinned(levels: tuple[float, ...]) -> tuple[float, ...]:
    """The clean level, the strongest, and some in between."""
    count = min(len(levels), 1 + _LEVELS)
    return tuple(levels[round(n)] for n in np.linspace(0, len(levels) - 1, count))
