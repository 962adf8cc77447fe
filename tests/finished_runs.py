"""Runs of the tiny study, for tests that look at them."""

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

import mixqual


class Run(NamedTuple):
    """A study that has run to its end; not to be changed."""

    study: Path
    out: Path
    results: dict[str, Any]
    times: dict[str, int]
    """When each of its files was written."""


def run_study_file(study: Path, out: Path, *earlier: Path) -> Run:
    """Run a study, taking over what earlier runs have of it."""
    results = mixqual.Study.load(study).run(out, earlier)
    return Run(study, out, results, times(out))


def times(root: Path) -> dict[str, int]:
    """When each file below a folder was written, but for notes that any run may renew."""
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".notes"
    }


def numbers(results: dict[str, Any]) -> dict[str, Any]:
    """Results without what is measured anew in every run: the date and the latencies."""
    kept = copy.deepcopy(results)
    for name in ("date", "commit", "made_by"):
        kept["provenance"].pop(name)
    for model, row in results["cost"].items():
        kept["cost"][model] = {
            key: value for key, value in row.items() if not key.startswith("latency_ms")
        }
    return kept


def stages_of(files: set[str]) -> dict[str, int]:
    """How many artifacts of each stage these files belong to."""
    folders = {file.split("/")[0] for file in files}
    kinds = [folder.split("-")[0] for folder in folders]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


Finished = tuple[Path, Path, dict[str, Any]]
"""The study file of a run, its folder, and the results; not to be changed."""


def read(out: Path) -> dict[str, Any]:
    """The results that a run has written."""
    results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    del results["signed"], results["checksum"]
    return results


def artifacts(out: Path) -> set[str]:
    """The names of a run's artifacts, unfinished ones included."""
    return {path.name for path in (out / "artifacts").iterdir()}
