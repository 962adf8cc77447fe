"""Data sets of Hugging Face's `datasets` that `save_to_disk` wrote: images inside of Arrow tables.

Each table needs a column of images, and one called label (class labels, text or whole numbers), or
else a single column of class labels. A column called group says what must not be parted. Splits are
those of a `DatasetDict`. Images stay where they are; only their bytes are read, one at a time.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from mixqual.data.classes import ClassChoice
from mixqual.data.index import SPLIT_OF_NAME, ImageIndex, LeftOut
from mixqual.data.rows import Row, index_rows
from mixqual.errors import DataError
from mixqual.images import Embedded


def index_huggingface(root: Path, choice: ClassChoice) -> ImageIndex:
    """Index the images of the data set in the folder `root`, of the chosen classes.

    Rows and splits without labels (-1), and splits that are none of train, validation and test, are
    left out. Raises
    `DataError` if the folder holds no data set, columns or images are lacking, labels are odd, or
    `datasets` is not installed.
    """
    where = f"data.path = {str(root)!r}"
    rows: list[Row | str] = []
    left_out: list[LeftOut] = []
    names: list[str] | None = None
    for split, part in _load(root, where).items():
        if split and split.lower() not in SPLIT_OF_NAME:
            reason = f"a split of {len(part)} images that is none of train, validation and test"
            left_out.append(LeftOut(split, reason))
            continue
        image, label = _columns(f"{where}, split {split!r}" if split else where, part)
        found = list(_rows(root, split, part, image, label))
        if split and found and all(isinstance(row, LeftOut) for row in found):
            left_out.append(LeftOut(split, f"a split of {len(part)} images without any label"))
            continue
        own: list[str] | None = getattr(part.features[label], "names", None)
        if rows and own != names:
            raise DataError(f"{where}: its splits differ in their classes; make them the same")
        names = own
        left_out += [row for row in found if isinstance(row, LeftOut)]
        rows += [row for row in found if not isinstance(row, LeftOut)]
    return index_rows(root.resolve().name, str(root), rows, choice, names, tuple(left_out))


def _load(root: Path, where: str) -> dict[str, Any]:
    """Return the tables by split; a table without a split has an empty name."""
    if not os.path.isdir(root):
        raise DataError(f"{where}: no such folder; name one that `save_to_disk` wrote")
    try:
        from datasets import DatasetDict, load_from_disk
    except ImportError:
        raise DataError(
            'data.source = "huggingface" needs the datasets package; install it with '
            "`pip install 'mixqual[huggingface]'`"
        ) from None
    try:
        found = load_from_disk(str(root))
    except Exception as error:  # of many kinds, if the folder is damaged or another one
        raise DataError(
            f"{where}: holds no data set that `save_to_disk` wrote, or a damaged one ({error})"
        ) from None
    return dict(found) if isinstance(found, DatasetDict) else {"": found}


def _columns(where: str, part: Any) -> tuple[str, str]:
    """Return the names of the columns of images and of labels."""
    kinds = {name: type(feature).__name__ for name, feature in part.features.items()}
    images = [name for name, kind in kinds.items() if kind == "Image"]
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    image = images[0] if len(images) == 1 else "image" if "image" in images else None
    label = "label" if "label" in kinds else labels[0] if len(labels) == 1 else None
    if image is None or label is None:
        columns = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        lacking = "Image, or several and none called image" if image is None else "label"
        raise DataError(
            f"{where}: there is no column {lacking}; its columns are: {columns}; add it, or save "
            "the data set without this part"
        )
    return image, label


def _rows(
    root: Path, split: str, part: Any, image: str, label: str
) -> Iterator[Row | str | LeftOut]:
    table = part.data  # Arrow's, mapped from the files; no image is read
    column = table.column(image)
    names = getattr(part.features[label], "names", None)
    groups: Iterable[Any] = repeat(None)
    if "group" in table.column_names:
        groups = table.column("group").to_pylist()

    def read_row(row: int) -> bytes:
        data: bytes = column[row]["bytes"].as_py()
        return data

    within = f"{root}, {split}" if split else str(root)
    files = tuple(str(file["filename"]) for file in part.cache_files)
    cells = zip(_sizes(column), table.column(label).to_pylist(), groups, strict=False)
    for row, (size, value, group) in enumerate(cells):
        where = f"{split}, row {row}" if split else f"row {row}"
        name = f"{split}/{row}" if split else str(row)
        if size is None:
            yield f"{where}: there is no image"
        elif names is not None and (value is None or value == -1):
            yield LeftOut(name, "it has no label")
        elif names is not None and not 0 <= value < len(names):
            yield f"{where}: the label {value} is none of the {len(names)} classes"
        else:
            content = Embedded(within, row, size, read_row, files)
            text = value if names is None else names[value]
            yield Row(where, name, content, text, split or None, group)


def _sizes(column: Any) -> Iterator[int | None]:
    """Yield the number of bytes of each row's image, None where there is none."""
    from pyarrow.compute import binary_length

    for chunk in column.chunks:
        fields = dict(zip((field.name for field in chunk.type), chunk.flatten(), strict=True))
        yield from binary_length(fields["bytes"]).to_pylist()
