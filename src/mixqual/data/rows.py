"""From the rows of a table, whatever its format, to an index: labels, splits, groups, and checks.

Labels are text or whole numbers, also as 1.0, which is 1. If all are whole numbers, the classes are
in their numeric order, else in that of plain text, unless the table gives an order itself.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from mixqual.data.classes import ClassChoice, choose_classes, keep_classes
from mixqual.data.index import SPLIT_OF_NAME, ImageIndex, Item, LeftOut
from mixqual.errors import DataError
from mixqual.images import Embedded

_LISTED = 5  # faulty rows that an error names; it counts the rest


@final
@dataclass(frozen=True)
class Row:
    """One row of a table; cells are as the table gives them."""

    where: str
    """Names the row in messages, such as "line 3"."""
    id: str
    content: Path | Embedded
    label: object
    split: object
    """A table without splits has None in all rows."""
    group: object
    """None or empty where the image is in no group."""


def index_rows(
    name: str,
    table: str,
    rows: Iterable[Row | str],
    choice: ClassChoice,
    order: Sequence[str] | None = None,
    left_out: tuple[LeftOut, ...] = (),
) -> ImageIndex:
    """Index the images of a table's rows; `order` has the classes in the order of their labels.

    A text among the rows says what is wrong with one, and where. Raises `DataError` that lists the
    first of these, and of rows with an empty or odd label, an unknown split or
    none where others have one, or an image that an earlier row has; and for what `choose_classes`
    refuses.
    """
    found: dict[str, tuple[Row, str, str | None]] = {}
    faults = []
    splits_given = False
    for row in rows:
        if isinstance(row, str):
            faults.append(row)
            continue
        try:
            if row.id in found:
                raise ValueError(f"{row.id!r} is in {found[row.id][0].where} already")
            split = _split(row.split)
            splits_given |= split is not None
            found[row.id] = row, _label(row.label), split
        except ValueError as fault:
            faults.append(f"{row.where}: {fault}")
    if splits_given:
        faults += [
            f"{row.where}: the split is empty, but other rows have one"
            for row, _, split in found.values()
            if split is None
        ]
    _refuse(table, faults)
    if all(re.fullmatch(r"-?[0-9]{1,18}(\.0*)?", label) for _, label, _ in found.values()):
        # pandas writes whole numbers so where one was missing.
        found = {
            name: (row, label.partition(".")[0], split)
            for name, (row, label, split) in found.items()
        }
    present = {label for _, label, _ in found.values()}
    classes = _in_order(present)
    if order is not None:
        classes = tuple(label for label in order if label in present)
    labels = {label: position for position, label in enumerate(classes)}
    items = tuple(
        Item(row.id, row.content, labels[label], split, _text(row.group) or None)
        for row, label, split in found.values()
    )
    index = ImageIndex(name, classes, items, left_out, credit="")
    return keep_classes(index, choose_classes(choice, table, classes))


def leave_out_missing(table: str, index: ImageIndex, on_error: str) -> ImageIndex:
    """Leave out the images whose files are missing, or with `on_error` "raise" refuse them.

    Raises `DataError` too if a class is left without an image.
    """
    missing = {
        item.id: item
        for item in index.items
        if isinstance(item.path, Path) and not os.path.isfile(item.path)
    }
    if not missing:
        return index
    if on_error == "raise":
        paths = [str(item.path) for item in missing.values()]
        windows = any("\\" in path for path in paths)
        hint = "write / for each backslash, " if windows else ""
        raise DataError(
            f"{table}: {len(missing)} of the {len(index.items)} images that it names are no files; "
            f'{hint}put them there, or leave them out with data.on_error = "skip":\n'
            + _lines(paths)
        )
    kept = tuple(item for item in index.items if item.id not in missing)
    left = {item.label for item in kept}
    for label, name in enumerate(index.classes):
        if label not in left:
            raise DataError(
                f"{table}: class {name!r} has no image left: all its files are missing; put them "
                "there or list the class in data.exclude_classes"
            )
    gone = tuple(LeftOut(name, "the file is missing") for name in missing)
    return ImageIndex(index.name, index.classes, kept, (*index.left_out, *gone), index.credit)


def _refuse(table: str, faults: Sequence[str]) -> None:
    if faults:
        rows = "1 row" if len(faults) == 1 else f"{len(faults)} rows"
        raise DataError(f"{table}: {rows} cannot be used; mend or remove:\n{_lines(faults)}")


def _lines(texts: Sequence[str]) -> str:
    lines = [f"  {text}" for text in texts[:_LISTED]]
    if len(texts) > _LISTED:
        lines.append(f"  and {len(texts) - _LISTED} more")
    return "\n".join(lines)


def _label(value: object) -> str:
    text = _text(value)
    if not text:
        raise ValueError("the label is empty")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str | int):
        raise ValueError(f"the label {value!r} is neither text nor a whole number")
    return text


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()


def _split(value: object) -> str | None:
    text = _text(value)
    if not text:
        return None
    if text.lower() not in SPLIT_OF_NAME:
        raise ValueError(f"the split {text!r} is unknown; use train, val or test")
    return SPLIT_OF_NAME[text.lower()]


def _in_order(labels: set[str]) -> tuple[str, ...]:
    if all(re.fullmatch(r"-?[0-9]{1,18}", label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))
