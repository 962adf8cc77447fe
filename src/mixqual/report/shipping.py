"""What a run recommends to ship, as a table."""

from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, numbers
from mixqual.results.lookups import Results
from mixqual.results.shipping import shipped, shipped_label


def front_table(results: Results) -> Table | None:
    """The models to which no other is preferable, the cheapest first; None of older results."""
    found = results.get("recommendation")
    if not found:
        return None
    own, rows = shipped(found), found["front"]
    fields = ("model", "auc", "low", "high", "val_auc", "macs", "params")
    over = "ci95_trainings" in rows[0]
    counts = results["provenance"]
    trainings = f"the {len(counts['seeds'])} trainings and " if over else ""
    return Table(
        title=f"{results['name']}: what to ship, of the best for their cost",
        header=("Model", "Average AUC", "on validation images", "MACs (G)", "Params (M)", "Choice"),
        rows=tuple(
            (
                shipped_label(row["model"]),
                "{:.3f} [{:.3f}, {:.3f}]".format(row["auc"], *_ends(row)),
                f"{row['val_auc']:.3f}",
                f"{row['macs'] / 1e9:.3f}",
                f"{row['params'] / 1e6:.2f}",
                _remark(row, own),
            )
            for row in rows
        ),
        align=("left", *numbers(4), "left"),
        fields=(*fields, "exported", "ship"),
        records=tuple(
            (
                *(row["model"], row["auc"], *_ends(row)),
                *(row[field] for field in fields[4:]),
                *(str(flag).lower() for flag in (row["exported"], row["model"] == own)),
            )
            for row in rows
        ),
        notes=(
            found["reason"],
            "The models to which no other is preferable: with as high an average AUC on "
            "validation images, as few MACs and as few parameters, and one of these better.",
            f"Rule: {found['rule']}",
            f"[low, high]: 95 % interval over {trainings}the {counts['images']['test']} test "
            "images. MACs of the conditional mode are a mean over validation images.",
        ),
    )


def _ends(row: Mapping[str, Any]) -> tuple[float, float]:
    low, high = row.get("ci95_trainings") or row["ci95"]
    return low, high


def _remark(row: Mapping[str, Any], own: str) -> str:
    if row["model"] == own:
        return "ship"
    return "" if row["exported"] else "cannot be exported"
