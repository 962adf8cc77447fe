"""A table that lists the images: CSV or Parquet, with the columns path, label, split and group.

`path` starts at the table's folder, unless it is absolute; where there is no such file, backslashes
are taken for slashes, and letters with accents for their other form in Unicode. `split` (train, val
or test) and `group` (what must not be parted, such as a patient) may be absent; so may a group's
cells. Other columns are ignored. A CSV file is in UTF-8 with commas and a first line that names the
columns.
"""

import csv
import os
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mixqual.data.classes import ClassChoice
from mixqual.data.files import some
from mixqual.data.index import ImageIndex
from mixqual.data.rows import Row, index_rows, leave_out_missing
from mixqual.errors import DataError

_NEEDED = ("path", "label")
_COLUMNS = (*_NEEDED, "split", "group")


def index_manifest(table: Path, choice: ClassChoice, on_error: str) -> ImageIndex:
    """Index the images that a table lists, of the chosen classes.

    Files that are missing are left out, or refused with `on_error` "raise". Raises `DataError` for
    a table that cannot be read, lacks a column, or has rows that cannot be used: it names columns,
    lines (CSV) or rows (Parquet, counted from 0).
    """
    if not os.path.isfile(table):
        kind = "is a folder" if os.path.isdir(table) else "no such file"
        raise DataError(
            f"data.path = {str(table)!r}: {kind}; name a .csv or .parquet file with the columns "
            "path and label"
        )
    if table.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"data.path = {str(table)!r}: the table must be a .csv or .parquet file")
    cells = _csv_cells(table) if table.suffix.lower() == ".csv" else _parquet_cells(table)
    rows = (_row(table, where, values) for where, values in cells)
    index = index_rows(table.name, str(table), rows, choice)
    return leave_out_missing(str(table), index, on_error)


_Cells = tuple[str, dict[str, Any] | str]
"""Where a row is, and its cells by column, or what is wrong with it."""


def _row(table: Path, where: str, values: dict[str, Any] | str) -> Row | str:
    if isinstance(values, str):
        return f"{where}: {values}"
    path = values["path"]
    if path is None or path != path or path == "":
        return f"{where}: the path is empty"
    if not isinstance(path, str):
        return f"{where}: the path {path!r} is no text"
    name = _as_on_disk(table.parent, path)
    split, group = values.get("split"), values.get("group")
    return Row(where, name, table.parent / name, values["label"], split, group)


def _as_on_disk(folder: Path, path: str) -> str:
    """The path as its file is called: as it is written, or as Windows or macOS mean the same."""
    name = posixpath.normpath(path)
    if (path.isascii() and "\\" not in path) or os.path.lexists(folder / name):
        return name
    for slashed in (name, posixpath.normpath(path.replace("\\", "/"))):
        for form in ("NFC", "NFD"):
            other = unicodedata.normalize(form, slashed)
            if os.path.lexists(folder / other):
                return other
    return name


def _csv_cells(table: Path) -> Iterator[_Cells]:
    columns: list[str] = []
    line = 1
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                first, line = line, reader.line_num + 1  # a quoted cell may go over several lines
                values = [cell.strip() for cell in cells]
                if not any(values):
                    continue
                if not columns:
                    columns = values
                    _check_columns(table, columns)
                elif len(values) != len(columns):
                    yield f"line {first}", f"{len(values)} values for {len(columns)} columns"
                else:
                    yield f"line {first}", dict(zip(columns, values, strict=True))
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: not UTF-8 ({error}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{table}, line {line}: not valid CSV ({error})") from None
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror})") from None
    if not columns:
        raise DataError(f"{table}: the table is empty; it needs the columns path and label")


def _parquet_cells(table: Path) -> Iterator[_Cells]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise DataError(
            f"data.path = {str(table)!r}: reading Parquet needs the pyarrow package; install it "
            "with `pip install 'mixqual[parquet]'`, or save the table as .csv"
        ) from None
    try:
        present = parquet.read_schema(table).names
        _check_columns(table, present)
        names = [name for name in _COLUMNS if name in present]
        columns = parquet.read_table(table, columns=names).to_pydict()
    except (ArrowException, OSError) as error:
        raise DataError(f"{table}: cannot be read as a Parquet table ({error})") from None
    for row, values in enumerate(zip(*(columns[name] for name in names), strict=True)):
        yield f"row {row}", dict(zip(names, values, strict=True))


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    for name in _NEEDED:
        if name not in columns:
            hint = "; commas part the columns" if len(columns) == 1 else ""
            raise DataError(
                f"{table}: there is no column {name!r}; it has {some(columns, 20) or 'none'}{hint}"
            )
    for name in _COLUMNS:
        if columns.count(name) > 1:
            raise DataError(f"{table}: the column {name!r} is there twice; keep one")
