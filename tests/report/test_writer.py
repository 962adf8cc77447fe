import json
from pathlib import Path

from report_samples import sample_results

from mixqual.layout import to_csv, to_markdown
from mixqual.made import read_signed
from mixqual.report import (
    accuracy_csv,
    auc_table,
    comparison_table,
    headline,
    label_runs,
    latex_page,
    make,
    report_tables,
    to_latex,
    tree_tables,
    write_comparison,
    write_one,
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
    "tables.tex",
    "report.html",
    *(
        f"figures/{name}.{kind}"
        for name in ("fig2", "fig4", "fig5", "fig6", "conditional")
        for kind in ("svg", "png")
    ),
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
    assert read_signed(tmp_path / "new" / "run" / "results.json") == results
    assert written["auc.csv"].decode() == to_csv(auc_table(results))
    assert written["accuracy.csv"].decode() == accuracy_csv(results)
    assert written["left_out.csv"].decode() == "id,reason\nimages/cell0001.png,no sure label\n"
    page = written["table.md"].decode()
    assert page.startswith(f"# sample\n\n{headline(results)}\n\n## sample: area")
    assert page.count("\n## ") == 4
    drawings = {f"fig{number}": written[f"figures/fig{number}.svg"] for number in (2, 4, 5, 6)}
    assert written["report.html"].decode() == render_page(results, drawings)
    assert written["tables.tex"].decode() == latex_page(report_tables(results))
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
    assert page.count("\n## ") == 4 + 3
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


def test_one_table_is_written_in_the_format_asked_for(tmp_path: Path) -> None:
    results = sample_results()
    table = auc_table(results)
    texts = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex}
    for form, ending in (("markdown", "md"), ("csv", "csv"), ("latex", "tex")):
        assert write_one(table, tmp_path, "table2", form) == [tmp_path / f"table2.{ending}"]
        assert (tmp_path / f"table2.{ending}").read_text() == texts[form](table)


def test_one_figure_is_that_of_the_whole_report(tmp_path: Path) -> None:
    results = sample_results(1)
    write_report(results, tmp_path)
    paths = write_one(make(results, "fig6"), tmp_path / "alone", "fig6", "")
    assert [path.name for path in paths] == ["fig6.svg", "fig6.png"]
    for path in paths:
        assert path.read_bytes() == (tmp_path / "figures" / path.name).read_bytes()


def test_a_comparison_has_its_table_in_every_format_and_a_figure(tmp_path: Path) -> None:
    runs = label_runs([(tmp_path / name, sample_results(1)) for name in ("a", "b")])
    paths = write_comparison(runs, tmp_path / "first")
    endings = ("html", "md", "csv", "tex", "svg", "png")
    assert [path.name for path in paths] == [f"comparison.{ending}" for ending in endings]
    assert paths[1].read_text() == to_markdown(comparison_table(runs))
    write_comparison(runs, tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
