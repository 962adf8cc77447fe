"""A report as files."""

from pathlib import Path

from mixqual.artifacts import refusing_full_disk, write_atomically, write_json
from mixqual.report.figures import draw_figures
from mixqual.report.headline import headline
from mixqual.report.labels import Results
from mixqual.report.layout import csv_text, to_csv, to_markdown
from mixqual.report.tables import accuracy_csv, auc_table, comparisons_table, weights_csv
from mixqual.report.trees import tree_tables, trees_csv


def write_report(results: Results, directory: Path) -> list[Path]:
    """Write results.json, the tables and the figures into a folder, and return their paths.

    Each file is replaced as a whole. Equal results give equal bytes.
    """
    areas, differences = auc_table(results), comparisons_table(results)
    page = [f"# {results['name']}\n", f"{headline(results)}\n"]
    trees = tree_tables(results)
    page += [to_markdown(table) for table in (areas, differences, *trees)]
    texts = {
        "auc.csv": to_csv(areas),
        "accuracy.csv": accuracy_csv(results),
        "weights.csv": weights_csv(results),
        "comparisons.csv": to_csv(differences),
        "left_out.csv": csv_text(
            ("id", "reason"), [(file["id"], file["reason"]) for file in results["left_out"]]
        ),
        "table.md": "\n".join(page),
    }
    if trees:
        texts["trees.csv"] = trees_csv(results)
    with refusing_full_disk(directory):
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / "results.json", results)
        for name, text in texts.items():
            write_atomically(directory / name, text)
        figures = draw_figures(results, directory / "figures")
        if not trees:  # a report with trees may have been here
            for name in ("trees.csv", "figures/costs.svg", "figures/costs.png"):
                (directory / name).unlink(missing_ok=True)
    return [directory / "results.json", *(directory / name for name in texts), *figures]
