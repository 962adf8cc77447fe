"""What results say of their models and distortions."""

from collections.abc import Mapping
from typing import Any

Results = Mapping[str, Any]
"""The content of a run's `results.json`, as reports read it: the table of a `RunResults`."""

Examples = Mapping[str, Any]
"""The content of a run's `examples.json`."""


def original_network(results: Results) -> str:
    """The network that has never seen a distortion, or the first expert if each of them has."""
    return str(results["clean"] or results["experts"][0])


def is_gray(grid: Mapping[str, Any]) -> bool:
    """Whether what results say of a distortion is that all channels have the same noise."""
    tables = [grid, *grid.get("parts", ())]
    return any(table.get("options", {}).get("gray") is True for table in tables)


def trust_rows(results: Results, model: str) -> list[Mapping[str, Any]]:
    """The rows of a model, one a training; none in results that do not tell of it."""
    return [row for row in results.get("trust", []) if row["model"] == model]
