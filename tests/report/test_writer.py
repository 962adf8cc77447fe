import json
from pathlib import Path

import pytest
from report_samples import sample_results

from mixqual.errors import RunError
from mixqual.layout import to_csv, to_markdown
from mixqual.made import read_signed
from mixqual.report import (
    accuracy_csv,
    auc_table,
    check_replaces_report,
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


@pytest.mark.parametrize("name", sorted(FILES | {"trees.csv", "examples.json", "leaks.csv"}))
def test_a_file_that_no_report_has_written_keeps_reports_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(RunError, match="is there already, and is from no report"):
        check_replaces_report(tmp_path, tmp_path / "run")


def test_a_report_goes_where_one_is_or_nothing_that_it_would_replace(tmp_path: Path) -> None:
    check_replaces_report(tmp_path / "new", tmp_path / "run")
    (tmp_path / "notes.txt").write_text("mine")
    check_replaces_report(tmp_path, tmp_path / "run")
    write_report(sample_results(), tmp_path)
    check_replaces_report(tmp_path, tmp_path / "run")


def test_a_report_keeps_out_of_the_folder_of_another_run(tmp_path: Path) -> None:
    """Its own may have lost its results, which are made again."""
    for name in ("run", "other"):
        (tmp_path / name / "artifacts").mkdir(parents=True)
        (tmp_path / name / "results.json").touch()
    check_replaces_report(tmp_path / "run", tmp_path / "other" / ".." / "run")
    with pytest.raises(RunError, match="is the folder of another run"):
        check_replaces_report(tmp_path / "other", tmp_path / "run")


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
