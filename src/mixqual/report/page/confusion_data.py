"""Confusion matrices, for results that have them: which classes are taken for which."""

from collections.abc import Mapping, Sequence
from typing import Any

from mixqual.report.labels import distortion_title
from mixqual.report.page.facts import class_names
from mixqual.results.lookups import Results
from mixqual.results.wording import model_label

Matrix = Sequence[Sequence[float]]


def confusion_data(results: Results) -> dict[str, Any] | None:
    """All matrices with the names to choose them by; None if the results have none.

    A row of a matrix is a true class, a column what a network said; entries are counts of test
    images, or their means over seeds.
    """
    matrices: Mapping[str, Any] = results.get("confusion") or {}
    if not matrices:
        return None
    first = next(iter(matrices.values()))
    matrix = next(iter(next(iter(first.values())).values()))
    size = len(matrix)
    names = class_names(results)
    return {
        "classes": names if len(names) == size else [str(number) for number in range(size)],
        "models": [{"name": model, "label": model_label(model)} for model in matrices],
        "distortions": [
            {
                "name": distortion,
                "label": distortion_title(distortion),
                "unit": results["distortions"][distortion]["unit"],
                "levels": list(levels),
            }
            for distortion, levels in first.items()
        ],
        "matrices": matrices,
        "first": _cells(matrix),
    }


def _cells(matrix: Matrix) -> list[list[dict[str, Any]]]:
    """Counts with their shares of the row, for the matrix that stands there before a choice."""
    rows = []
    for row in matrix:
        shares = [count / (sum(row) or 1) for count in row]
        rows.append(
            [
                {"count": f"{count:g}", "share": share, "percent": f"{100 * share:.0f} %"}
                for count, share in zip(row, shares, strict=True)
            ]
        )
    return rows
