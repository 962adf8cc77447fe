"""The results of a run and its examples, read back from its folder."""

import os
from pathlib import Path

from mixqual.errors import RunError
from mixqual.made import read_signed
from mixqual.report.example_figure import Examples
from mixqual.report.labels import Results

EXAMPLES_FILE = "examples.json"
_NAME = "results.json"
_NEEDED = (
    *("name", "provenance", "experts", "baselines", "models", "distortions", "auc", "accuracy"),
    *("accuracy_ci95", "comparisons", "left_out", "weights", "gate_weights", "gate_weights_std"),
    "cost",
)
"""What even the oldest results have."""


def read_results(run: Path) -> Results:
    """The results of a folder, or of its results.json; raises `RunError` if there are none."""
    path = run if run.name == _NAME else run / _NAME
    if not os.path.isfile(path):  # where `Path.is_file` raises, this does not
        raise RunError(f"{run} holds no {_NAME}; name the folder of a run that has ended")
    results = read_signed(path)
    found = results if isinstance(results, dict) else {}
    lacking = [key for key in _NEEDED if key not in found]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    return found


def read_examples(run: Path) -> Examples | None:
    """The examples in a run's folder, or beside its results.json; None if it has none."""
    path = (run.parent if run.name == _NAME else run) / EXAMPLES_FILE
    return read_signed(path) if os.path.isfile(path) else None
