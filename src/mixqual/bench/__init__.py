"""Benchmarks: speed as a ratio to another library or to a bound, measured side by side in one run.

Each module here that has a `measure() -> list[Ratio]` is one benchmark by its name.
"""

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mixqual.backends import unusable_backends
from mixqual.bench.peers import missing_peers
from mixqual.config import RuntimeConfig
from mixqual.errors import StudyError
from mixqual.provenance import provenance
from mixqual.runtime import set_up_machine

_MEASURES = "\ndef measure() -> list[Ratio]:\n"


def benchmarks() -> tuple[str, ...]:
    """The names of all benchmarks: the modules that measure; the others here are their tools."""
    modules = Path(__file__).parent.glob("*.py")
    # Their text is looked at, as importing them takes seconds.
    found = (path.stem for path in modules if _MEASURES in path.read_text(encoding="utf-8"))
    return tuple(sorted(found))


def run_benchmarks(name: str | None = None, runtime: RuntimeConfig | None = None) -> dict[str, Any]:
    """Run one benchmark or all; return their provenance and rows. Raises `StudyError`."""
    if name is not None and name not in benchmarks():
        raise StudyError(f"unknown benchmark {name!r}; there are {', '.join(benchmarks())}")
    machine = set_up_machine(runtime or RuntimeConfig())
    rows = []
    for each in [name] if name else benchmarks():
        module = importlib.import_module(f"{__name__}.{each}")
        rows += [{"benchmark": each, **asdict(ratio)} for ratio in module.measure()]
    return {
        "provenance": provenance(machine),
        "peers_not_installed": missing_peers(),
        "backends_not_usable": unusable_backends(),
        "rows": rows,
    }
