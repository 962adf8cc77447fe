"""Benchmarks: speed as a ratio to another library or to a bound, measured side by side in one run.

Each module here has a `measure() -> list[Ratio]`, and is one benchmark by its name.
"""

import importlib
import pkgutil
from dataclasses import asdict
from typing import Any

from mixqual.backends import unusable_backends
from mixqual.bench.peers import missing_peers
from mixqual.config import RuntimeConfig
from mixqual.errors import StudyError
from mixqual.provenance import provenance
from mixqual.runtime import set_up_machine

_TOOLS = {
    *("load", "noise_images", "page_table", "peak_memory", "peers", "pictures", "plain"),
    *("plain_passes", "random_bundle", "scaling_figure", "scratch", "serving", "targets"),
    "timing",
}


def benchmarks() -> tuple[str, ...]:
    """The names of all benchmarks."""
    return tuple(sorted({module.name for module in pkgutil.iter_modules(__path__)} - _TOOLS))


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
