"""A report as files."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from mixqual.artifacts import check_place, make_folder, refusing_full_disk, write_atomically
from mixqual.errors import RunError
from mixqual.layout import Table, csv_text, to_csv, to_markdown
from mixqual.made import write_signed
from mixqual.report.catalogue import FIGURES, report_tables
from mixqual.report.comparison import Run
from mixqual.report.comparison_figure import comparison_figure
from mixqual.report.comparison_table import comparison_table
from mixqual.report.example_figure import figure_1
from mixqual.report.figure_files import DRAWN, figure_bytes, write_figure
from mixqual.report.headline import headline
from mixqual.report.latex import latex_page, to_latex
from mixqual.report.page import render_comparison, render_page
from mixqual.report.quality import metrics_csv
from mixqual.report.tables import accuracy_csv, auc_table, comparisons_table, weights_csv
from mixqual.report.trees import trees_csv
from mixqual.report.unseen import unseen_table
from mixqual.results.lookups import Examples, Results
from mixqual.results.reading import EXAMPLES_FILE, read_results

TABLE_FORMATS: Mapping[str, tuple[str, Callable[[Table], str]]] = {
    "markdown": ("md", to_markdown),
    "csv": ("csv", to_csv),
    "latex": ("tex", to_latex),
}
"""What a table can be written as, with the ending of its file."""

_ALWAYS = (
    *("results.json", "report.html", "table.md", "tables.tex", "left_out.csv"),
    *("auc.csv", "accuracy.csv", "weights.csv", "comparisons.csv"),
)
"""The files that every report has."""

_SOMETIMES = {
    "metrics.csv",
    "trees.csv",
    "leaks.csv",
    "unseen.csv",
    EXAMPLES_FILE,
    *(f"figures/{name}.{kind}" for name in ("fig1", *FIGURES) for kind in DRAWN),
}
"""What only some reports have."""


def check_report_place(directory: Path) -> None:
    """Raise `RunError` if a report could not be written there; makes nothing."""
    check_place(directory, ["figures"], [*_ALWAYS, *_SOMETIMES])


def check_replaces_report(directory: Path, run: Path) -> None:
    """Refuse a folder in which the report of a run would replace what is no earlier report.

    Raises `RunError`; makes nothing.
    """
    of_a_run = (directory / "artifacts").is_dir()
    if of_a_run and directory.resolve() != run.resolve():
        raise RunError(f"{directory} is the folder of another run; choose another place")
    names = sorted([*_ALWAYS, *_SOMETIMES])
    there = next((name for name in names if os.path.lexists(directory / name)), None)
    if of_a_run or there is None:
        return
    try:
        read_results(directory)
    except RunError:
        raise RunError(
            f"{directory / there} is there already, and is from no report that can be read; "
            "choose another place, or move it"
        ) from None


def write_report(results: Results, directory: Path, examples: Examples | None = None) -> list[Path]:
    """Write results.json, the page, the tables and the figures, and return their paths.

    With `examples`, the images of a run and what its models say, also examples.json and Figure 1.
    Each file is replaced as a whole. Equal results give equal bytes.
    """
    tables = report_tables(results)
    page = [f"# {results['name']}\n", f"{headline(results)}\n"]
    page += [to_markdown(table) for table in tables]
    trees = results.get("trees")
    texts = {
        "auc.csv": to_csv(auc_table(results)),
        "accuracy.csv": accuracy_csv(results),
        "weights.csv": weights_csv(results),
        "comparisons.csv": to_csv(comparisons_table(results)),
        "left_out.csv": csv_text(
            ("id", "reason"), [(file["id"], file["reason"]) for file in results["left_out"]]
        ),
        "table.md": "\n".join(page),
        "tables.tex": latex_page(tables),
    }
    if "metrics" in results:
        texts["metrics.csv"] = metrics_csv(results)
    if trees:
        texts["trees.csv"] = trees_csv(results)
    leaks = results.get("leaks")
    if leaks:
        texts["leaks.csv"] = csv_text(tuple(leaks[0]), [tuple(leak.values()) for leak in leaks])
    unseen = unseen_table(results)
    if unseen:
        texts["unseen.csv"] = to_csv(unseen)
    contents = {"results.json": results} | ({EXAMPLES_FILE: examples} if examples else {})
    check_report_place(directory)
    make_folder(directory)
    with refusing_full_disk(directory):
        for name, content in contents.items():
            write_signed(directory / name, content)
        for name, text in texts.items():
            write_atomically(directory / name, text)
        figures = draw_figures(results, directory / "figures", examples)
        drawings = {path.stem: path.read_bytes() for path in figures if path.suffix == ".svg"}
        write_atomically(directory / "report.html", render_page(results, drawings, examples))
        names = (*contents, *texts, "report.html")
        made = [*(directory / name for name in names), *figures]
        for path in {directory / name for name in _SOMETIMES} - set(made):
            path.unlink(missing_ok=True)  # of an earlier report
    return made


def draw_figures(results: Results, directory: Path, examples: Examples | None = None) -> list[Path]:
    """Write every figure of a run as SVG and PNG; equal results give equal bytes."""
    made = {"fig1": figure_1(results, examples) if examples else None}
    made |= {name: draw(results) for name, draw in FIGURES.items()}
    return [
        path
        for name, figure in made.items()
        if figure
        for path in write_figure(figure, directory, name)
    ]


def write_one(made: Figure | Table, directory: Path, name: str, form: str) -> list[Path]:
    """Write one figure, or one table in one of `TABLE_FORMATS`, and return the paths."""
    make_folder(directory)
    with refusing_full_disk(directory):
        if isinstance(made, Figure):
            return write_figure(made, directory, name)
        ending, text = TABLE_FORMATS[form]
        path = directory / f"{name}.{ending}"
        write_atomically(path, text(made))
        return [path]


def write_comparison(runs: Sequence[Run], directory: Path) -> list[Path]:
    """Write the page of several runs, their table in every format, and their figure.

    Return the paths.
    """
    table, figure = comparison_table(runs), comparison_figure(runs)
    made = [(table, form) for form in TABLE_FORMATS] + [(figure, "")]
    paths = [path for one, form in made for path in write_one(one, directory, "comparison", form)]
    page = directory / "comparison.html"
    with refusing_full_disk(directory):
        write_atomically(page, render_comparison(runs, figure_bytes(figure, "svg")))
    return [page, *paths]
