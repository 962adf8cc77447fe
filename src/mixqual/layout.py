"""A computed table, and its drawings: on a terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from mixqual.file_names import printable, printable_lines

Align = Literal["left", "right"]
_MOST_KEYS = 3


def numbers(count: int) -> tuple[Align, ...]:
    """The alignment of so many columns of numbers."""
    column: Align = "right"
    return (column,) * count


Value = str | float | None


@final
@dataclass(frozen=True)
class Table:
    """A table as it will be read, and the numbers behind it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: tuple[Align, ...]
    fields: tuple[str, ...]
    """Columns of the CSV."""
    records: tuple[tuple[Value, ...], ...]
    """Rows of the CSV, in full precision; None is an empty cell."""
    rules: tuple[int, ...] = ()
    """Rows above which a rule is drawn."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What must be read before the table."""
    keys: int = 1
    """The first columns, which say what a row is about."""

    def __post_init__(self) -> None:
        """Make all that is read printable: names in it may hold codes that a terminal obeys."""
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "header", tuple(map(printable, self.header)))
        rows = tuple(tuple(map(printable, row)) for row in self.rows)
        object.__setattr__(self, "rows", rows)
        for field in ("notes", "warnings"):
            lines = tuple(map(printable_lines, getattr(self, field)))
            object.__setattr__(self, field, lines)


def to_csv(table: Table) -> str:
    """The numbers behind a table."""
    return csv_text(table.fields, table.records)


def csv_text(fields: Sequence[str], records: Iterable[Sequence[Value]]) -> str:
    """Records as CSV; floats are written so that they read back to the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(records)
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """A table with its title, warnings and notes; an empty row stands for a rule."""
    cells = [[cell.replace("|", r"\|") for cell in row] for row in (table.header, *table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if align == "right" else cell.ljust(width)
            for cell, width, align in zip(row, widths, table.align, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    dashes = [
        "-" * (width - 1) + (":" if align == "right" else "-")
        for width, align in zip(widths, table.align, strict=True)
    ]
    lines = [f"## {table.title}", ""]
    for warning in table.warnings:
        lines += [f"> **{warning}**", ""]
    lines += [line(cells[0]), line(dashes)]
    for index, row in enumerate(cells[1:]):
        if index in table.rules:
            lines.append(line([""] * len(widths)))
        lines.append(line(row))
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def to_rich(table: Table) -> RenderableType:
    """A table with its title, warnings and notes for a terminal of any width."""
    warnings = [Text(warning, style="bold white on red") for warning in table.warnings]
    notes = RichTable.grid(padding=(0, 1))
    for note in table.notes:
        # Cells are made of `Text`: in a plain string rich would read [brackets] as markup.
        notes.add_row(Text("·"), Text(note), style="dim")
    return Group(Text(table.title, style="bold"), *warnings, _Grid(table), notes)


@final
@dataclass(frozen=True)
class _Grid:
    """The cells of a table; what is too wide goes on below, with the key columns repeated.

    Cells go on in another line only where the keys and a single column are wider than a line.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        keys = list(range(self._keys()))
        columns = keys
        for column in range(len(keys), len(self.table.header)):
            wide = self._width(console, [*columns, column]) > options.max_width
            if wide and len(columns) > len(keys):
                yield self._draw(columns)
                columns = keys
            columns = [*columns, column]
            folded = self._width(console, columns) > options.max_width
            if folded:
                yield self._draw(columns, folded=True)
                columns = keys
        if columns != keys or len(keys) == len(self.table.header):
            yield self._draw(columns)

    def _keys(self) -> int:
        """The columns to repeat: as many as tell all rows apart, if that is a few."""
        for count in range(self.table.keys, min(_MOST_KEYS, len(self.table.header) - 1) + 1):
            if len({row[:count] for row in self.table.rows}) == len(self.table.rows):
                return count
        return self.table.keys

    def _width(self, console: Console, columns: Sequence[int]) -> int:
        unbounded = console.options.update(max_width=10_000)
        return Measurement.get(console, unbounded, self._draw(columns)).maximum

    def _draw(self, columns: Sequence[int], *, folded: bool = False) -> RichTable:
        table = self.table
        grid = RichTable(box=box.HORIZONTALS, padding=(0, 1, 0, 0), pad_edge=False)
        for column in columns:
            width = max((len(row[column]) for row in table.rows), default=0)
            header = table.header[column]
            if len(header) > width:
                header = "\n".join(header.rsplit(" ", 1))
            grid.add_column(
                Text(header), justify=table.align[column], no_wrap=not folded, overflow="fold"
            )
        for index, row in enumerate(table.rows):
            if index in table.rules:
                grid.add_section()
            grid.add_row(*(Text(row[column]) for column in columns))
        return grid
