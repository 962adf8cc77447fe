"""The table of verdicts of M_mix and of the baselines: how many answers are usable, and right."""

from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, Value, numbers
from mixqual.report.labels import averages, distortion_title
from mixqual.results.lookups import Results, trust_rows
from mixqual.results.names import AVERAGE, HELD_OUT
from mixqual.results.wording import model_label

VERDICTS = ("usable", "doubtful", "retake")
_NAMES = {AVERAGE: "All that experts know", HELD_OUT: "All held-out"}
_MISSING = "–"


def trust_table(results: Results) -> Table | None:
    """A row a distortion, of M_mix, and of each baseline the averages; of the first training.

    Its records tell of every single network. None for results that do not tell of M_mix.
    """
    rows = trust_rows(results, "mix")
    if not rows:
        return None
    told = rows[0]
    groups: Mapping[str, Any] = told["verdicts"]
    held_out = set(results["held_out"])
    networks = _judged(results, [*results["experts"], *results["baselines"]])
    baselines = _judged(results, results["baselines"])
    texts = [(_name(name, held_out), found) for name, found in groups.items()]
    texts += [
        (model_label(name) + ", held out" * (group == HELD_OUT), of["verdicts"][group])
        for group in averages(results)
        for name, of in baselines.items()
    ]
    seen = len(groups) - sum(name in groups for name in _NAMES)
    return Table(
        title=f"{results['name']}: which answers of M_mix can be trusted",
        header=("Distortion", *(part for v in VERDICTS for part in (v.capitalize(), "Wrong"))),
        rows=tuple(
            (label, *(text for v in VERDICTS for text in share_texts(found[v])))
            for label, found in texts
        ),
        align=("left", *numbers(2 * len(VERDICTS))),
        fields=("model", "distortion", "verdict", "share", "error", "low", "high"),
        records=tuple(
            (model, name, v, *share_record(found[v]))
            for model, of in {"mix": told, **networks}.items()
            for name, found in of["verdicts"].items()
            for v in VERDICTS
        ),
        rules=(seen, *([len(groups)] if baselines else [])),
        notes=(
            f"Shares of the test images with each verdict, over all levels, and of these the share "
            f"that is wrong, with 95 % intervals; training with seed {told['seed']}.",
            f"Rule: {told['rule']}",
            f"Temperature {told['temperature']:.3f}; usable from {told['usable']:.3f}, retake "
            f"below {told['retake']:.3f}. Over the distortions that experts know, calibration took "
            f"NLL from {_change(told, 'nll')} and ECE from {_change(told, 'ece')}.",
            *([_note_on(baselines)] if baselines else []),
        ),
    )


def _judged(results: Results, networks: list[str]) -> dict[str, Mapping[str, Any]]:
    """What the first training of each network that is told of is worth."""
    rows = {name: trust_rows(results, name) for name in networks}
    return {name: of[0] for name, of in rows.items() if of}


def _note_on(baselines: Mapping[str, Mapping[str, Any]]) -> str:
    each = ", ".join(
        f"{model_label(name)} ({told['temperature']:.3f}; usable from {told['usable']:.3f}, retake "
        f"below {told['retake']:.3f})"
        for name, told in baselines.items()
    )
    return (
        "Below M_mix the baselines, over all distortions that experts know, by temperatures and "
        f"borders of their own: {each}. All networks and distortions: `mixqual report RUN --only "
        "verdicts --format csv`."
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
