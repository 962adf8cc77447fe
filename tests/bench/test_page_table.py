"""The table of all rows: by hand, and as it stands in the documentation."""

import json
from pathlib import Path
from typing import Any

import pytest

from mixqual.bench import benchmarks
from mixqual.bench.page_table import END, START, benchmark_table, with_table
from mixqual.errors import RunError
from mixqual.layout import to_csv

ROOT = Path(__file__).parents[2]
MADE_BY_HAND = ("backbones", "indexing")  # which take too long for `make bench`


def row(benchmark: str, ratio: float, repetitions: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "what": "one",
        "against": "another",
        "ratio": ratio,
        "low": ratio / 2,
        "high": ratio * 2,
        "repetitions": repetitions,
        "settings": "",
        **more,
    }


def write(folder: Path, name: str, *rows: dict[str, Any]) -> None:
    provenance = {
        "commit": "0123456789abcdef",
        "date": "2026-11-26T01:02:03Z",
        "device": "cpu: one",
        "threads": 2,
    }
    (folder / f"{name}.json").write_text(json.dumps({"provenance": provenance, "rows": rows}))


def test_rows_are_compared_with_what_was_aimed_at(tmp_path: Path) -> None:
    write(tmp_path, "tree_sweep", row("tree_sweep", 0.61), row("tree_sweep", 0.6))
    write(tmp_path, "memory", row("memory", 0.04, repetitions=1, low=0.04, high=0.04))
    table = benchmark_table(tmp_path)
    assert table.rows == (
        ("memory", "one", "another", "0.040", "", ""),
        ("tree_sweep", "one", "another", "0.61 (0.30 to 1.22)", "≤ 0.6", "**no**"),
        ("tree_sweep", "one", "another", "0.60 (0.30 to 1.20)", "≤ 0.6", "yes"),
    )
    assert table.notes[1] == (
        "`tree_sweep`: commit 01234567, 2026-11-26, cpu: one, 2 threads; settings of each row in "
        "[tree_sweep.json](../benchmarks/tree_sweep.json)"
    )
    assert to_csv(table).splitlines()[1:3] == [
        "memory,one,another,0.04,0.04,0.04,",
        "tree_sweep,one,another,0.61,0.305,1.22,0.6",
    ]


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    write(tmp_path, "memory", row("memory", 1.0))
    table = benchmark_table(tmp_path)
    page = with_table(f"Before\n\n{START}\nold\n{END}\n\nafter\n", table)
    assert page.startswith(f"Before\n\n{START}\n\n## ")
    assert page.endswith(f"\n\n{END}\n\nafter\n")
    assert "old" not in page
    assert with_table(page, table) == page


@pytest.mark.parametrize("page", ["", START, END, f"{END}\n{START}"])
def test_a_page_without_a_place_for_it_is_refused(tmp_path: Path, page: str) -> None:
    write(tmp_path, "memory", row("memory", 1.0))
    with pytest.raises(RunError, match="the page has no place for the table of benchmarks"):
        with_table(page, benchmark_table(tmp_path))


def test_the_documentation_has_the_table_of_what_is_committed() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert with_table(page, benchmark_table(ROOT / "benchmarks")) == page


def test_every_file_is_of_one_benchmark_and_every_benchmark_is_measured() -> None:
    paths = sorted((ROOT / "benchmarks").glob("*.json"))
    for path in paths:
        rows = json.loads(path.read_text())["rows"]
        assert {row["benchmark"] for row in rows} == {path.stem}
    assert {path.stem for path in paths} <= set(benchmarks())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = [line for line in makefile.splitlines() if line.startswith("BENCHMARKS :=")]
    assert sorted([*line.split()[2:], *MADE_BY_HAND]) == list(benchmarks())
