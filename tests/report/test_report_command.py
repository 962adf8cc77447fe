"""The command as a user meets it."""

import json
from pathlib import Path

import pytest
from ended import Command
from report_samples import Results, sample_results

from mixqual.layout import to_csv, to_markdown
from mixqual.report import (
    TABLE_FORMATS,
    auc_table,
    comparison_table,
    label_runs,
    names,
    report_tables,
    to_latex,
    write_report,
)
from mixqual.report.trees_across import trees_across_table


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of which results.json alone is left."""
    return saved(tmp_path / "run", sample_results(1, trees=True))


def saved(folder: Path, results: Results) -> Path:
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_writes_everything_again_and_prints_the_tables(
    command: Command, run: Path, tmp_path: Path
) -> None:
    results = sample_results(1, trees=True)
    write_report(results, tmp_path / "expected")
    ended = command("report", run)
    assert ended.code == 0, ended.err
    assert files(run) == files(tmp_path / "expected")
    for table in report_tables(results):
        assert table.title in ended.out
    assert str(run / "tables.tex") in ended.err
    before = files(run)
    ended = command("report", run / "results.json", "--out", tmp_path / "copy")
    assert files(run) == before == files(tmp_path / "copy")


@pytest.mark.parametrize("form", list(TABLE_FORMATS))
def test_prints_tables_in_a_format_and_nothing_else(command: Command, run: Path, form: str) -> None:
    text = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex}[form]
    results = sample_results(1, trees=True)
    assert command("report", run, "--only", "table2", "--format", form).out == text(
        auc_table(results)
    )
    tables = [text(table) for table in report_tables(results)]
    assert command("report", run, "--format", form).out == "\n".join(tables)


def test_one_figure_goes_beside_the_others_or_where_it_is_asked_for(
    command: Command, run: Path, tmp_path: Path
) -> None:
    ended = command("report", run, "--only", "fig6")
    assert (ended.code, ended.out) == (0, "")
    assert files(run).keys() == {"results.json", "figures/fig6.svg", "figures/fig6.png"}
    command("report", run, "--only", "costs", "--out", tmp_path / "out")
    assert files(tmp_path / "out").keys() == {"costs.svg", "costs.png"}


def test_one_table_is_written_where_it_is_asked_for(
    command: Command, run: Path, tmp_path: Path
) -> None:
    results = sample_results(1, trees=True)
    out = tmp_path / "out"
    assert command("report", run, "--only", "table3", "--out", out).out == ""
    command("report", run, "--only", "table3", "--format", "csv", "--out", out)
    assert (out / "table3.md").read_text() == to_markdown(auc_table(results))
    assert (out / "table3.csv").read_text() == to_csv(auc_table(results))
    assert files(run).keys() == {"results.json"}


def test_several_runs_are_compared(command: Command, run: Path, tmp_path: Path) -> None:
    other = saved(tmp_path / "other", sample_results(1) | {"name": "other"})
    ended = command("report", run, other, "--format", "markdown", "--out", tmp_path / "out")
    runs = label_runs([(run, sample_results(1, trees=True)), (other, sample_results(1))])
    assert ended.out.startswith("## Runs compared: sample, other\n")
    assert len(ended.out.splitlines()) >= len(comparison_table(runs).rows)
    assert (tmp_path / "out" / "comparison.md").read_text() == ended.out
    assert files(run).keys() == files(other).keys() == {"results.json"}
    assert "without --out" in command("report", run, other).err


@pytest.mark.parametrize(("name", "kind"), [("table6", "treenet"), ("inverted", "inverted")])
def test_trees_of_several_runs_are_one_table(
    command: Command, run: Path, tmp_path: Path, name: str, kind: str
) -> None:
    results = sample_results(1, trees=True)
    other = saved(tmp_path / "other", results | {"name": "other"})
    table = trees_across_table(
        label_runs([(run, results), (other, results | {"name": "other"})]), kind
    )
    ended = command("report", run, other, "--only", name, "--format", "csv")
    assert (ended.code, ended.out) == (0, to_csv(table))
    out = tmp_path / "out"
    for form in TABLE_FORMATS:
        command("report", run, other, "--only", name, "--format", form, "--out", out)
    assert files(out).keys() == {f"{name}.{ending}" for ending in ("md", "csv", "tex")}
    assert (out / f"{name}.tex").read_text() == to_latex(table)
    assert files(run).keys() == files(other).keys() == {"results.json"}


def test_refuses(command: Command, run: Path, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        return command("report", *arguments).refusal()

    assert refused(run, "--only", "fig7").endswith(", ".join(names()))
    assert "`mixqual neurons` makes it" in refused(run, "--only", "fig3")
    assert "sample has no unseen" in refused(run, "--only", "unseen")
    assert refused(run, "--only", "fig2", "--format", "csv").startswith("fig2 is a figure")
    assert "name one run" in refused(run, run, "--only", "fig2")
    assert "there is no 'fig7'" in refused(run, run, "--only", "fig7")
    assert "holds no results.json" in refused(tmp_path)
    (tmp_path / "file").write_text("in the way")
    assert command("report", run, "--format", "pdf").code == 2
    assert files(run).keys() == {"results.json"}


def test_needs_no_torch(run: Path) -> None:
    """A report is made from numbers, at once."""
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from mixqual.report import write_report; "
        "from mixqual.results.reading import read_results; "
        f"write_report(read_results(Path({str(run)!r})), Path({str(run)!r})); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
