"""The results of a run and its examples, read back from its folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mixqual.errors import RunError
from mixqual.made import read_signed
from mixqual.results.content import Examples, Results

EXAMPLES_FILE = "examples.json"
_NAME = "results.json"
_NEEDED = (
    *("name", "provenance", "experts", "baselines", "models", "distortions", "auc", "accuracy"),
    *("accuracy_ci95", "comparisons", "left_out", "weights", "gate_weights", "gate_weights_std"),
    "cost",
)
"""What even the oldest results have."""

_EXAMPLES_NEEDED = ("credit", "classes", "cells", "examples", "failures")


def read_results(run: Path) -> Results:
    """The results of a folder, or of its results.json; raises `RunError` if there are none."""
    path = run if run.name == _NAME else run / _NAME
    if not os.path.isfile(path):  # where `Path.is_file` raises, this does not
        raise RunError(f"{run} holds no {_NAME}; name the folder of a run that has ended")
    return _read(path, _NEEDED)


def read_examples(run: Path) -> Examples | None:
    """The examples in a run's folder, or beside its results.json; None if it has none."""
    path = (run.parent if run.name == _NAME else run) / EXAMPLES_FILE
    return _read(path, _EXAMPLES_NEEDED) if os.path.isfile(path) else None


def _read(path: Path, needed: Sequence[str]) -> dict[str, Any]:
    table = read_signed(path)
    found: dict[str, Any] = table if isinstance(table, dict) else {}
    lacking = [key for key in needed if key not in found]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    return found
