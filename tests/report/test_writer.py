import json
from pathlib import Path

from report_samples import sample_results

from mixqual.report import (
    accuracy_csv,
    auc_table,
    headline,
    to_csv,
    to_markdown,
    tree_tables,
    write_report,
)
from mixqual.report.page import render_page
from mixqual.report.trees import trees_csv

FILES = {
    "results.json",
    "auc.csv",
    "accuracy.csv",
    "weights.csv",
    "comparisons.csv",
    "left_out.csv",
    "table.md",
    "report.html",
    *(f"figures/fig{number}.{kind}" for number in (2, 4, 5) for kind in ("svg", "png")),
}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_writes_all_files_and_nothing_else(tmp_path: Path) -> None:
    results = sample_results()
    paths = write_report(results, tmp_path / "new" / "run")
    written = contents(tmp_path / "new" / "run")
    assert written.keys() == FILES
    assert {path.relative_to(tmp_path / "new" / "run").as_posix() for path in paths} == FILES
    assert json.loads(written["results.json"]) == results
    assert written["auc.csv"].decode() == to_csv(auc_table(results))
    assert written["accuracy.csv"].decode() == accuracy_csv(results)
    assert written["left_out.csv"].decode() == "id,reason\nimages/cell0001.png,no sure label\n"
    page = written["table.md"].decode()
    assert page.startswith(f"# sample\n\n{headline(results)}\n\n## sample: area")
    assert page.count("\n## ") == 2
    drawings = {f"fig{number}": written[f"figures/fig{number}.svg"] for number in (2, 4, 5)}
    assert written["report.html"].decode() == render_page(results, drawings)
    # A report made again from the written results, as `mixqual report` does, is the same.
    write_report(json.loads(written["results.json"]), tmp_path / "again")
    assert contents(tmp_path / "again") == written


def test_trees_have_files_of_their_own(tmp_path: Path) -> None:
    results = sample_results(trees=True)
    paths = write_report(results, tmp_path)
    written = contents(tmp_path)
    assert written.keys() == FILES | {"trees.csv", "figures/costs.svg", "figures/costs.png"}
    assert {path.relative_to(tmp_path).as_posix() for path in paths} == written.keys()
    assert written["trees.csv"].decode() == trees_csv(results)
    page = written["table.md"].decode()
    assert page.count("\n## ") == 2 + 3
    for table in tree_tables(results):
        assert to_markdown(table) in page


def test_a_report_replaces_an_older_one(tmp_path: Path) -> None:
    write_report(sample_results(gate_works=False), tmp_path)
    assert "THE GATE HAS FAILED" in (tmp_path / "table.md").read_text()
    write_report(sample_results(), tmp_path)
    assert "THE GATE HAS FAILED" not in (tmp_path / "table.md").read_text()
    assert contents(tmp_path).keys() == FILES


def test_a_report_without_trees_leaves_nothing_of_one_with_them(tmp_path: Path) -> None:
    write_report(sample_results(trees=True), tmp_path)
    write_report(sample_results(), tmp_path)
    assert contents(tmp_path).keys() == FILES
