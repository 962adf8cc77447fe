"""What results say of how far the answers of one model can be trusted."""

from collections.abc import Mapping
from typing import Any

from mixqual.report.labels import Results


def trust_rows(results: Results, model: str) -> list[Mapping[str, Any]]:
    """The rows of a model, one a training; none in results that do not tell of it.

    Results of before trees had any do not name the model: it is M_mix.
    """
    return [row for row in results.get("trust", []) if row.get("model", "mix") == model]
