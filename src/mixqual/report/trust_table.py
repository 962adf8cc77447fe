"""The table of verdicts of M_mix: how many answers are usable, and how often each kind is wrong."""

from collections.abc import Mapping
from typing import Any

from mixqual.report.labels import AVERAGE, HELD_OUT, Results, distortion_title
from mixqual.report.layout import Table, Value, numbers
from mixqual.report.trust_rows import trust_rows

VERDICTS = ("usable", "doubtful", "retake")
_NAMES = {AVERAGE: "All that experts know", HELD_OUT: "All held-out"}
_MISSING = "–"


def trust_table(results: Results) -> Table | None:
    """A row a distortion, of the first training; None for results that do not tell."""
    rows = trust_rows(results, "mix")
    if not rows:
        return None
    told = rows[0]
    groups: Mapping[str, Any] = told["verdicts"]
    held_out = set(results["held_out"])
    return Table(
        title=f"{results['name']}: which answers of M_mix can be trusted",
        header=("Distortion", *(part for v in VERDICTS for part in (v.capitalize(), "Wrong"))),
        rows=tuple(
            (_name(name, held_out), *(text for v in VERDICTS for text in share_texts(found[v])))
            for name, found in groups.items()
        ),
        align=("left", *numbers(2 * len(VERDICTS))),
        fields=("distortion", "verdict", "share", "error", "low", "high"),
        records=tuple(
            (name, v, *share_record(found[v])) for name, found in groups.items() for v in VERDICTS
        ),
        rules=(len(groups) - sum(name in groups for name in _NAMES),),
        notes=(
            f"Shares of the test images with each verdict, over all levels, and of these the share "
            f"that is wrong, with 95 % intervals; training with seed {told['seed']}.",
            f"Rule: {told['rule']}",
            f"Temperature {told['temperature']:.3f}; usable from {told['usable']:.3f}, retake "
            f"below {told['retake']:.3f}. Over the distortions that experts know, calibration took "
            f"NLL from {_change(told, 'nll')} and ECE from {_change(told, 'ece')}.",
        ),
    )


def _name(name: str, held_out: set[str]) -> str:
    note = " (held out)" if name in held_out else ""
    return _NAMES.get(name) or f"{distortion_title(name)}{note}"


def share_texts(found: Mapping[str, Any]) -> tuple[str, str]:
    """The share of images with a verdict, and of these the share that is wrong, in words."""
    share = f"{100 * found['share']:.1f} %"
    if found["error"] is None:
        return share, _MISSING
    error = f"{100 * found['error']:.1f} %"
    if found["error_ci95"]:
        low, high = found["error_ci95"]
        error += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return share, error


def share_record(found: Mapping[str, Any]) -> tuple[Value, ...]:
    """The same as numbers: both shares, and the ends of the interval of the second."""
    low, high = found["error_ci95"] or (None, None)
    return (found["share"], found["error"], low, high)


def _change(told: Mapping[str, Any], metric: str) -> str:
    before, after = told["calibration"][AVERAGE][metric]
    return f"{before:.3f} to {after:.3f}"
