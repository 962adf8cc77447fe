"""The results of a run, read back from its folder."""

from pathlib import Path

from mixqual.artifacts import read_json
from mixqual.errors import RunError
from mixqual.report.labels import Results

_NEEDED = (
    *("name", "provenance", "experts", "baselines", "models", "distortions", "auc", "accuracy"),
    *("accuracy_ci95", "comparisons", "left_out", "weights", "gate_weights", "gate_weights_std"),
    "cost",
)
"""What even the oldest results have."""


def read_results(run: Path) -> Results:
    """The results in a folder, or in a file; raises `RunError` if there are none."""
    path = run if run.is_file() else run / "results.json"
    if not path.is_file():
        raise RunError(f"{run} holds no results.json; name the folder of a run that has ended")
    results = read_json(path)
    found = results if isinstance(results, dict) else {}
    lacking = [key for key in _NEEDED if key not in found]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    return found
