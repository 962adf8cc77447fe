"""The table of all rows that stand in the files of a folder, and its place in a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixqual.artifacts import read_json
from mixqual.bench.targets import target_of
from mixqual.errors import RunError
from mixqual.layout import Table, to_markdown

START, END = "<!-- benchmarks: start -->", "<!-- benchmarks: end -->"
"""The lines of a page between which the table stands."""

_DAY = len("2026-01-01")


def benchmark_table(folder: Path) -> Table:
    """Every row of every `NAME.json`, as `mixqual bench NAME --json` prints it."""
    files = {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
    rows = [row for results in files.values() for row in results["rows"]]
    return Table(
        title="All of them",
        header=("Benchmark", "What", "Against", "Ratio", "Aim", "Met"),
        rows=tuple(_cells(row) for row in rows),
        align=("left", "left", "left", "right", "right", "left"),
        fields=("benchmark", "what", "against", "ratio", "low", "high", "aim"),
        records=tuple(
            (
                *(row[field] for field in ("benchmark", "what", "against", "ratio", "low", "high")),
                _target(row),
            )
            for row in rows
        ),
        notes=tuple(_origin(name, results["provenance"]) for name, results in files.items()),
    )


def with_table(page: str, table: Table) -> str:
    """The page with the table between its two markers; raises `RunError` if it lacks them."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise RunError(
            f"the page has no place for the table of benchmarks: add the lines {START} and {END}"
        )
    return f"{before}{START}\n\n{to_markdown(table)}\n{END}{after}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    ratio, low, high = (_number(row[field]) for field in ("ratio", "low", "high"))
    target = _target(row)
    if target is None:
        aim, met = "", ""
    else:
        aim, met = f"≤ {target:.3g}", "yes" if row["ratio"] <= target else "**no**"
    spread = ratio if row["repetitions"] == 1 else f"{ratio} ({low} to {high})"
    return row["benchmark"], row["what"], row["against"], spread, aim, met


def _target(row: Mapping[str, Any]) -> float | None:
    return target_of(row["benchmark"], row["what"], row["against"])


def _number(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _origin(name: str, provenance: Mapping[str, Any]) -> str:
    return (
        f"`{name}`: commit {str(provenance['commit'])[:8]}, {provenance['date'][:_DAY]}, "
        f"{provenance['device']}, {provenance['threads']} threads; settings of each row in "
        f"[{name}.json](../benchmarks/{name}.json)"
    )
