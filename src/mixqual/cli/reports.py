"""The command that writes reports again, and compares runs."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixqual.cli.app import app, tell
from mixqual.errors import RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixqual.layout import Table


class Format(StrEnum):
    """What a table is printed as."""

    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="A run's folder; several are compared.", metavar="RUN...")
    ],
    only: Annotated[
        str | None,
        typer.Option(help="Make just this one: fig6, table2, costs; an unknown name lists all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write here; by default into the run's folder.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Of tables, instead of a drawn one.")
    ] = None,
) -> None:
    """Write the tables and figures of a run again, or compare several runs.

    Of several runs --only makes table6 or table7, with a column for each data set.
    """
    from mixqual.artifacts import check_place
    from mixqual.report import (
        check_replaces_report,
        check_report_place,
        comparison_table,
        label_runs,
        make,
        make_across,
        report_tables,
        write_comparison,
        write_report,
    )
    from mixqual.results.reading import read_examples, read_results

    if out:
        check_place(out)
    found = [(run, read_results(run)) for run in runs]
    if len(found) > 1:
        compared = label_runs(found)
        if only:
            _one_table(make_across(compared, only), only, out, format_)
            return
        _print([comparison_table(compared)], format_)
        written = write_comparison(compared, out) if out else []
        _tell(written or ["nothing is written, and no figure drawn, without --out"])
        return
    [(run, results)] = found
    folder = run.parent if run.is_file() else run
    examples = read_examples(run)
    if examples is None and (folder / "figures" / "fig1.svg").exists():
        _tell([f"{folder} has lost its examples.json: Figure 1 and images are left out"])
    if only:
        _one(make(results, only, examples), only, folder, out, format_)
        return
    check_report_place(out or folder)
    check_replaces_report(out or folder, folder)
    _print(report_tables(results), format_)
    _tell(write_report(results, out or folder, examples))


def _one(
    made: "Figure | Table", name: str, folder: Path, out: Path | None, form: Format | None
) -> None:
    """A table is printed, or written where it is asked for; a figure is always written."""
    from mixqual.layout import Table
    from mixqual.report import write_one

    if isinstance(made, Table):
        _one_table(made, name, out, form)
        return
    if form:
        raise RunError(f"{name} is a figure; --format is for tables")
    _tell(write_one(made, out or folder / "figures", name, ""))


def _one_table(made: "Table", name: str, out: Path | None, form: Format | None) -> None:
    from mixqual.report import write_one

    if out:
        _tell(write_one(made, out, name, form or Format.MARKDOWN))
    else:
        _print([made], form)


def _print(tables: Sequence["Table"], form: Format | None) -> None:
    """On a terminal of any width, or as text to be redirected."""
    from mixqual.layout import to_rich
    from mixqual.report import TABLE_FORMATS

    if form:
        _, text = TABLE_FORMATS[form]
        print("\n".join(text(table) for table in tables), end="")
        return
    for table in tables:
        Console().print(to_rich(table))


def _tell(lines: Sequence[object]) -> None:
    """Beside the tables, so that these can be redirected."""
    for line in lines:
        tell(str(line), err=True)
