"""The table of mixtures that were tested on a distortion that none of their experts has seen."""

from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, Value, numbers
from mixqual.report.labels import distortion_title, listing
from mixqual.results.lookups import Results
from mixqual.results.names import UNSEEN
from mixqual.results.wording import model_label, signed


def unseen_table(results: Results) -> Table | None:
    """One row a distortion: the mixture without its experts, the clean expert, and M_mix."""
    rows = results.get("unseen")
    if not rows:
        return None
    others = [model for model in rows[0]["auc"] if model != UNSEEN]
    return Table(
        title=f"{results['name']}: AUC on a distortion that no expert of the mixture has seen",
        header=(
            "Distortion",
            "Mixture that never saw it",
            *(title for other in others for title in (model_label(other), "unseen minus that")),
        ),
        rows=tuple(
            (
                distortion_title(row["distortion"]),
                _interval(row["auc"][UNSEEN]["auc"], row["auc"][UNSEEN]["ci95"]),
                *(
                    text
                    for other in others
                    for text in (f"{row['auc'][other]['auc']:.3f}", _difference(row, other))
                ),
            )
            for row in rows
        ),
        align=("left", "right", *numbers(2 * len(others))),
        fields=("distortion", "model", "auc", "low", "high", "experts"),
        records=tuple(
            record for row in rows for model in row["auc"] for record in [_record(row, model)]
        ),
        notes=(
            "For each distortion the experts trained on it were taken out; Eq. 4 was solved and a "
            "gate trained for those that are left, on the other distortions. M_mix has seen all of "
            f"them. Left were: {listing([_left(row) for row in rows])}.",
        ),
    )


def _left(row: Mapping[str, Any]) -> str:
    return f"{', '.join(row['experts'])} for {distortion_title(row['distortion'])}"


def _interval(value: float, ci95: list[float]) -> str:
    return f"{value:.3f} [{ci95[0]:.3f}, {ci95[1]:.3f}]"


def _difference(row: Mapping[str, Any], other: str) -> str:
    found = next(c for c in row["comparisons"] if c["a"] == UNSEEN and c["b"] == other)
    low, high = found["ci95"]
    return f"{signed(found['delta'])} [{signed(low)}, {signed(high)}]"


def _record(row: Mapping[str, Any], model: str) -> tuple[Value, ...]:
    area = row["auc"][model]
    experts = " ".join(row["experts"])
    return (row["distortion"], model, area["auc"], *area["ci95"], experts)
