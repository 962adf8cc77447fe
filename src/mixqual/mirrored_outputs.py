"""The outputs of sweeps in a store: arrays grow in place, so their cells are kept there in parts.

A part is an artifact of some cells of an array, `ARRAY/KEY`, one file a cell. A stage of a sweep
makes one; whoever needs cells takes the parts that have them.
"""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from mixqual.artifacts import key_of
from mixqual.evaluation import Cell, OutputArray
from mixqual.mirror import Mirror


def publish_cells(mirror: Mirror, array: OutputArray, cells: Sequence[Cell]) -> None:
    """Upload those cells of an array that are full and not in the store yet, as one part."""
    known = cells_in(mirror, array.path.name)
    new = [cell for cell in cells if cell not in known and array.is_full([cell])]
    if not new:
        return
    rows = [[cell.distortion, cell.level, cell.draw] for cell in new]
    mirror.publish(
        f"{array.path.name}/{key_of({'cells': rows})}",
        ((_file(number), _packed(array, cell)) for number, cell in enumerate(new)),
        {"cells": rows, "backends": list(array.backends), "makers": list(array.makers)},
    )


def fetch_cells(mirror: Mirror, array: OutputArray, cells: Sequence[Cell]) -> None:
    """Fill those cells of an array that are not full from the parts of the store that have them.

    Nobody else may change the array meanwhile, which has to have room for these cells.
    """
    lacking = {cell for cell in cells if not array.is_full([cell])}
    if not lacking:
        return
    for part, part_cells, about in _parts(mirror, array.path.name):
        for number, cell in enumerate(part_cells):
            if cell not in lacking:
                continue
            content = mirror.read(part, _file(number))
            if content is None:
                break
            # First, so that no outputs are ever there of which this is not known.
            for backend in about["backends"]:
                array.note_backend(backend)
            for maker in about.get("makers", [None]):
                array.note_maker(maker)
            values_NK = np.load(BytesIO(content), allow_pickle=False)
            for block in range(array.blocks):
                array.write(cell, block, values_NK[array.block(block)])
            lacking.remove(cell)


def cells_in(mirror: Mirror, name: str) -> set[Cell]:
    """The cells of an array that the store has."""
    return {cell for _, part, _ in _parts(mirror, name) for cell in part}


def _parts(mirror: Mirror, name: str) -> Iterator[tuple[str, list[Cell], Mapping[str, Any]]]:
    """The finished parts of an array: their names, cells in the order of files, what made them."""
    for part in mirror.finished(name):
        if about := mirror.about(part):
            yield part, [Cell(*row) for row in about["cells"]], about


def _file(number: int) -> str:
    return f"{number}.npy"


def _packed(array: OutputArray, cell: Cell) -> bytes:
    file = BytesIO()
    np.save(file, array.read(cell))
    return file.getvalue()
