"""The table of verdicts of trees, beside those of M_mix: a row a mixture."""

from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, numbers
from mixqual.report.labels import averages
from mixqual.report.trust_table import VERDICTS, share_record, share_texts
from mixqual.results.lookups import Results, trust_rows
from mixqual.results.names import HELD_OUT

_NONE = "–"
_HEADER = (
    "Shared",
    *(part for verdict in VERDICTS for part in (verdict.capitalize(), "Wrong")),
    *("Usable from", "Retake below", "ECE raw", "ECE"),
)


def judged_trees(results: Results) -> dict[str, str]:
    """The trees whose verdicts results tell of, and what each shares, in words."""
    return {
        tree["model"]: _shared_stages(tree)
        for tree in results.get("trees", [])
        if trust_rows(results, tree["model"])
    }


def tree_trust_table(results: Results) -> Table | None:
    """A row for M_mix and for each tree, of the first training; None without verdicts of trees.

    Held-out distortions have rows of their own, below.
    """
    trees = judged_trees(results)
    if not trees:
        return None
    labels = {"mix": "nothing (M_mix)", **trees}
    told = {model: trust_rows(results, model)[0] for model in labels}
    groups = averages(results)
    starts = range(0, len(groups) * len(labels), len(labels))
    first = next(iter(told.values()))
    return Table(
        title=f"{results['name']}: which answers of trees can be trusted",
        header=_HEADER,
        rows=tuple(
            _row(label, told[model], group) for group in groups for model, label in labels.items()
        ),
        align=("left", *numbers(len(_HEADER) - 1)),
        fields=("model", "distortion", "verdict", "share", "error", "low", "high"),
        records=tuple(
            (model, name, verdict, *share_record(found[verdict]))
            for model in labels
            for name, found in told[model]["verdicts"].items()
            for verdict in VERDICTS
        ),
        # Each group begins with M_mix.
        rules=tuple(row for start in starts for row in (start, start + 1) if row),
        notes=(
            "Shares of the test images with each verdict, over all levels of the distortions that "
            "experts know, and of these the share that is wrong, with 95 % intervals; training "
            f"with seed {first['seed']}. Each distortion: `mixqual report RUN --only "
            "tree_verdicts --format csv`.",
            f"Rule, for each mixture on validation images: {first['rule']} ECE raw "
            "is that before calibration.",
        ),
    )


def _row(label: str, told: Mapping[str, Any], group: str) -> tuple[str, ...]:
    verdicts = told["verdicts"][group]
    raw, calibrated = told["calibration"][group]["ece"]
    return (
        f"{label}, held out" if group == HELD_OUT else label,
        *(text for verdict in VERDICTS for text in share_texts(verdicts[verdict])),
        # Above 1 and at 0 there is no such answer.
        f"{told['usable']:.3f}" if told["usable"] <= 1 else _NONE,
        f"{told['retake']:.3f}" if told["retake"] > 0 else _NONE,
        f"{raw:.3f}",
        f"{calibrated:.3f}",
    )


def _shared_stages(tree: Mapping[str, Any]) -> str:
    """Such as "until blocks.1, from blocks.6"."""
    ends = [f"{end} {tree[end]}" for end in ("until", "from") if tree[end]]
    return ", ".join(ends) + (" (own weights)" if tree["weights"] == "resolve" else "")
