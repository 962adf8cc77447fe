"""A report as files."""

from pathlib import Path

from mixqual.artifacts import refusing_full_disk, write_atomically, write_json
from mixqual.report.figures import draw_figures
from mixqual.report.headline import headline
from mixqual.report.labels import Results
from mixqual.report.layout import Table, csv_text, to_csv, to_markdown
from mixqual.report.page import render_page
from mixqual.report.quality import metrics_csv, quality_table
from mixqual.report.tables import (
    accuracy_csv,
    auc_table,
    comparisons_table,
    distortions_table,
    weights_csv,
)
from mixqual.report.trees import tree_tables, trees_csv
from mixqual.report.unseen import unseen_table

_SOMETIMES = {
    "trees.csv",
    "leaks.csv",
    "unseen.csv",
    "figures/costs.svg",
    "figures/costs.png",
}
"""What only some reports have."""


def report_tables(results: Results) -> list[Table]:
    """All tables of a run, in the order in which they are read."""
    tables = [
        auc_table(results),
        distortions_table(results),
        comparisons_table(results),
        quality_table(results),
        *tree_tables(results),
        unseen_table(results),
    ]
    return [table for table in tables if table]


def write_report(results: Results, directory: Path) -> list[Path]:
    """Write results.json, the page, the tables and the figures, and return their paths.

    Each file is replaced as a whole. Equal results give equal bytes.
    """
    page = [f"# {results['name']}\n", f"{headline(results)}\n"]
    page += [to_markdown(table) for table in report_tables(results)]
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
    with refusing_full_disk(directory):
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / "results.json", results)
        for name, text in texts.items():
            write_atomically(directory / name, text)
        figures = draw_figures(results, directory / "figures")
        for name in _SOMETIMES - texts.keys() - {f"figures/{figure.name}" for figure in figures}:
            (directory / name).unlink(missing_ok=True)  # of an earlier report
        drawings = {path.stem: path.read_bytes() for path in figures if path.suffix == ".svg"}
        write_atomically(directory / "report.html", render_page(results, drawings))
    names = ("results.json", *texts, "report.html")
    return [*(directory / name for name in names), *figures]
