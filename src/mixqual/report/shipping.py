"""What a run recommends to ship, in a sentence and as a table."""

from collections.abc import Mapping
from typing import Any

from mixqual.report.labels import Results, model_label, signed, signed_interval
from mixqual.report.layout import Table, numbers

CONDITIONAL = "conditional"
"""M_mix in its conditional mode, where the name of a model may stand."""

_ALIKE = 1.05
"""Costs whose ratio is below it are the same in words."""


def shipping_reason(found: Mapping[str, Any]) -> str:
    """Which model to ship, and why, from the `recommendation` of results without its `reason`."""
    own = shipped(found)
    against = found.get("against")
    if not against:
        return f"Ship {_label(own)}: no other model can be exported."
    low, high = against.get("ci95_trainings") or against["ci95"]
    delta = f"average AUC {signed(against['delta'])} {signed_interval((low, high))}"
    if against["dearer"] == own:
        costs = _costs(against, f" as {_label(against['cheaper'])}")
        if low > 0:
            return f"Ship {_label(own)}: it {costs} and is better ({delta})."
        doubt = "is worse" if high < 0 else "is not shown to be"
        return (
            f"Ship {_label(own)}: it {costs} and is better on the validation images, by which is "
            f"chosen, but {doubt} on the test images ({delta})."
        )
    rival, costs = _label(against["dearer"]), _costs(against, "")
    if low > 0:
        return (
            f"Ship {_label(own)}: {rival} {costs} and is not shown to be better on the validation "
            f"images, by which is chosen, though it is on the test images ({delta})."
        )
    verdict = "is worse" if high < 0 else "is not shown to be better"
    return f"Ship {_label(own)}: {rival} {costs} and {verdict} ({delta})."


def shipped(found: Mapping[str, Any]) -> str:
    """The recommended model, or `CONDITIONAL`."""
    return CONDITIONAL if found["mode"] == CONDITIONAL else str(found["ship"])


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
                _label(row["model"]),
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


def _label(model: str) -> str:
    return "M_mix in conditional mode" if model == CONDITIONAL else model_label(model)


def _costs(against: Mapping[str, Any], rival: str) -> str:
    macs, params = against["macs_ratio"], against["params_ratio"]
    if macs >= _ALIKE:
        return f"costs {_times(macs)} times as much{rival}"
    if params >= _ALIKE:
        return f"costs as much{rival}, with {_times(params)} times the parameters,"
    return f"costs as much{rival}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
