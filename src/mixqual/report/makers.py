"""What made the artifacts of a study, where it was not all the same."""

from collections.abc import Mapping
from typing import Any

from mixqual.report.labels import listing
from mixqual.results.lookups import Results


def makers_note(results: Results) -> str:
    """Which versions took part and how they differ; empty if all were the same, or none is told."""
    rows = results["provenance"].get("made_by", [])
    if len(rows) < 2 and all(row["version"] for row in rows):
        return ""
    flat = [_flat(row) for row in rows if row["version"]]
    differing = [key for key in dict.fromkeys(k for f in flat for k in f) if _varies(flat, key)]
    parts = []
    for row in rows:
        what = listing([f"{count} of {stage}" for stage, count in row["artifacts"].items()])
        told = _flat(row)
        by = ", ".join(f"{key} {told.get(key) or 'unknown'}" for key in differing or ["mixqual"])
        parts.append(f"{what} by {by if row['version'] else 'versions that were not noted then'}")
    return f"Not all was made by the same versions. Artifacts: {'; '.join(parts)}."


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mixqual": row["version"],
        "commit": row.get("commit"),
        "device": row.get("device"),
        **row.get("libraries", {}),
    }


def _varies(flat: list[dict[str, Any]], key: str) -> bool:
    return len({row.get(key) for row in flat}) > 1
