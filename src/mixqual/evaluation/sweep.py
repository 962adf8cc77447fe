"""The sweep: every network on every distortion, level and image, each image distorted once.

A block of images is read, distorted and shown to all networks that lack it before the next, so
memory holds one batch whatever the number of images.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from mixqual.data import ImageSet
from mixqual.distortions import Distortion
from mixqual.evaluation.outputs import Cell, Floats, OutputArray
from mixqual.lookahead import made_ahead
from mixqual.progress import progress
from mixqual.results.names import CLEAN
from mixqual.seeding import derive_seed

Predictor = Callable[[Tensor, Cell], Tensor]
"""From float images_BCHW in 0...255 to outputs_BK, such as class probabilities.

The cell says how the images were distorted: for bounds that know it; a model looks at images only.
"""


def sweep(
    predictors: Mapping[str, Predictor],
    arrays: Mapping[str, OutputArray],
    images: ImageSet,
    cells: Sequence[Cell],
    distortions: Mapping[str, Distortion],
    *,
    seed: int,
    batch_size: int,
    device: torch.device,
    title: str = "sweep",
) -> None:
    """Fill each network's array with its outputs for every cell; what is there is kept.

    The noise of an image depends on the seed, the image and the draw only, so all networks and all
    levels of a distortion see the same noise field.
    """
    for array in arrays.values():
        array.add_cells(cells)
    blocks = next(iter(arrays.values())).blocks if arrays else 0
    plan = [
        (cell, block, [name for name in arrays if not arrays[name].has(cell, block)])
        for cell in cells
        for block in range(blocks)
    ]
    total = len(plan) * len(arrays)
    missing = sum(len(names) for _, _, names in plan)
    with (
        progress(title, total, "blocks", total - missing) as advance,
        torch.inference_mode(),
    ):
        for cell, block, names in plan:
            if not names:
                continue
            outputs = _predict_block(
                {name: predictors[name] for name in names},
                images,
                arrays[names[0]].block(block),
                cell,
                distortions,
                seed=draw_seed(seed, cell),
                batch_size=batch_size,
                device=device,
            )
            for name, values_NK in outputs.items():
                arrays[name].write(cell, block, values_NK)
            advance(len(names), f"{cell.distortion} {cell.level:g}")


def draw_seed(seed: int, cell: Cell) -> int:
    """The seed of a cell's noise, in a sweep with that seed."""
    return derive_seed(seed, "draw", cell.draw)


def _predict_block(
    predictors: Mapping[str, Predictor],
    images: ImageSet,
    block: slice,
    cell: Cell,
    distortions: Mapping[str, Distortion],
    *,
    seed: int,
    batch_size: int,
    device: torch.device,
) -> dict[str, Floats]:
    outputs: dict[str, list[Tensor]] = {name: [] for name in predictors}
    batches = distorted_batches(
        images, block, cell, distortions, seed=seed, batch_size=batch_size, device=device
    )
    for distorted_BCHW in batches:
        for name, predictor in predictors.items():
            outputs[name].append(predictor(distorted_BCHW, cell).float())
    # Not before: a GPU goes on while the next batch is distorted.
    return {name: torch.cat(values).cpu().numpy() for name, values in outputs.items()}


def distorted_batches(
    images: ImageSet,
    block: slice,
    cell: Cell,
    distortions: Mapping[str, Distortion],
    *,
    seed: int,
    batch_size: int,
    device: torch.device,
) -> Iterator[Tensor]:
    """The images of a block as `distort_cell` leaves them, batch by batch."""

    def draw(start: int) -> tuple[Tensor]:
        batch = range(start, min(start + batch_size, block.stop))
        images_BCHW, _ = images.batch(batch, device)
        return (distort_cell(images_BCHW, cell, distortions, seed),)

    starts = range(block.start, block.stop, batch_size)
    for (distorted_BCHW,) in made_ahead(starts, draw, device):
        yield distorted_BCHW


def distort_cell(
    images_BCHW: Tensor, cell: Cell, distortions: Mapping[str, Distortion], seed: int
) -> Tensor:
    """Distort float images as a cell says; `seed` is that of the cell's draw."""
    if cell.distortion == CLEAN:
        return images_BCHW
    levels_B = torch.full((len(images_BCHW),), cell.level, dtype=torch.float64)
    return distortions[cell.distortion](images_BCHW, levels_B, seed=seed)
