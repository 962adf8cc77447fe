"""Tables as the page shows them: each cell with what it is sorted by, intervals in a second line.

The tables are those of the reports; only their form is made here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from mixqual.layout import Align, Table

_NUMBER = re.compile(r"(?:[<>] )?([+−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_WITH_INTERVAL = re.compile(r"(?P<value>[^\[\]]+) (?P<interval>\[[^\[\]]+\])")
_MISSING = ("–", "")


@final
@dataclass(frozen=True)
class GridCell:
    """One cell."""

    text: str
    interval: str
    """The interval after the value, with its brackets; empty if there is none."""
    key: str
    """What its column is sorted by: a number, or the text; empty for a missing value."""


@final
@dataclass(frozen=True)
class Column:
    """The head of one column."""

    title: str
    align: Align
    numeric: bool
    """Whether its cells are sorted as numbers."""


@final
@dataclass(frozen=True)
class Grid:
    """A table, ready for the template."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[GridCell]]
    rules: Sequence[int]
    """Rows above which a rule is drawn, as long as the table is not sorted."""
    notes: Sequence[str]
    warnings: Sequence[str]


def grid(table: Table, id: str) -> Grid:
    """The form of a table for the page; `id` must be its own on the page."""
    titles = [title or "What" for title in table.header]
    columns = []
    for place, title in enumerate(titles):
        texts = [row[place] for row in table.rows]
        columns.append(Column(title, table.align[place], _all_numbers(texts)))
    rows = [
        [_cell(text, column.numeric) for text, column in zip(row, columns, strict=True)]
        for row in table.rows
    ]
    return Grid(id, table.title, columns, rows, table.rules, table.notes, table.warnings)


def number_in(text: str) -> float | None:
    """The number that a cell begins with, if after > or <, or None; a true minus counts as one."""
    found = _NUMBER.match(text)
    return float(found.group(1).replace("−", "-")) if found else None


def _all_numbers(texts: Sequence[str]) -> bool:
    present = [text for text in texts if text not in _MISSING]
    return bool(present) and all(number_in(text) is not None for text in present)


def _cell(text: str, numeric: bool) -> GridCell:
    parts = _WITH_INTERVAL.fullmatch(text)
    value, interval = parts.group("value", "interval") if parts else (text, "")
    if text in _MISSING:
        return GridCell(text, "", "")
    number = number_in(text)
    return GridCell(value, interval, repr(number) if numeric and number is not None else text)
