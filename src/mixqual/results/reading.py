"""The results of a run and its examples, read back from its folder."""

import os
from pathlib import Path
from typing import Any

from mixqual.errors import RunError
from mixqual.made import read_signed
from mixqual.results.content import RunResults
from mixqual.results.lookups import Examples, Results

EXAMPLES_FILE = "examples.json"
RESULTS_FILE = "results.json"
_EXAMPLES_NEEDED = ("credit", "classes", "cells", "examples", "failures")


def read_results(run: Path) -> Results:
    """The results of a folder, or of its results.json, as a table for reports.

    Raises `RunError` if there are none, or if they are not as `RunResults` says.
    """
    path = run if run.name == RESULTS_FILE else run / RESULTS_FILE
    if not os.path.isfile(path):  # where `Path.is_file` raises, this does not
        raise RunError(f"{run} holds no {RESULTS_FILE}; name the folder of a run that has ended")
    table: Results = read_signed(path)
    RunResults.of(table, path)
    return table


def read_run_results(path: Path) -> RunResults:
    """The content of a results.json; raises `RunError` as `read_results` does."""
    return RunResults.of(read_signed(path), path)


def read_examples(run: Path) -> Examples | None:
    """The examples in a run's folder, or beside its results.json; None if it has none."""
    path = (run.parent if run.name == RESULTS_FILE else run) / EXAMPLES_FILE
    if not os.path.isfile(path):
        return None
    table = read_signed(path)
    found: dict[str, Any] = table if isinstance(table, dict) else {}
    lacking = [key for key in _EXAMPLES_NEEDED if key not in found]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    return found
