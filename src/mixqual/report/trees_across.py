"""The paper's Tables 6 and 7 across data sets: the average AUC in each, and mean parameters."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from mixqual.errors import RunError
from mixqual.layout import Table, Value, numbers
from mixqual.report.comparison import (
    Row,
    Run,
    columns_of,
    joined_label,
    rows_of,
    studies,
    study_key,
)
from mixqual.report.comparison_notes import comparison_warnings, origin_notes
from mixqual.report.comparison_table import area_text
from mixqual.report.labels import gate_kind, listing
from mixqual.report.trees import (
    MISSING,
    NOTHING_SHARED,
    TITLES,
    failed_gates,
    own_weights_notes,
    tree_label,
)
from mixqual.results.names import AVERAGE

_FIELDS = ("auc", "low", "high", "sd", "seeds", "params", "macs")
_MEANS = (("params", "Mean params (M)", 1e6, 2), ("macs", "Mean MACs (G)", 1e9, 3))

Cells = Mapping[str, Row | None]
"""One mixture in every column that has it."""


def trees_across_table(runs: Sequence[Run], kind: str) -> Table:
    """The trees of one kind, as in `tree_table`: a column for each study, a row for each tree.

    Runs of one study with other seeds are one column. Every run has such trees. Raises `RunError`
    for mixtures so unlike that their parameters have no mean, and for trainings named twice.
    """
    _check(runs)
    labels = _columns(runs)
    trees = {run.label: _of_kind(run, kind) for run in runs}
    points = {tree["model"]: tree for own in trees.values() for tree in own}
    found = {(row.run, row.model): row for row in rows_of(runs, ())}
    lines: dict[str, Cells] = {
        model: {label: found.get((label, model)) for label in labels} for model in ("mix", *points)
    }
    means = {model: [_mean(cells, field) for field, *_ in _MEANS] for model, cells in lines.items()}
    return Table(
        title=f"{TITLES[kind]}: average AUC in {listing(labels)}",
        header=("Branch point", *labels, *(title for _, title, _, _ in _MEANS)),
        rows=tuple(
            (
                tree_label(points[model]) if model in points else NOTHING_SHARED,
                *(area_text(row and row.average) for row in cells.values()),
                *_mean_texts(means[model]),
            )
            for model, cells in lines.items()
        ),
        align=("left", *numbers(len(labels) + len(_MEANS))),
        fields=(
            *("kind", "until", "from", "model"),
            *(f"{label}_{field}" for label in labels for field in _FIELDS),
            *(f"mean_{field}" for field, *_ in _MEANS),
        ),
        records=tuple(
            (
                *_place(points.get(model)),
                model,
                *(value for row in cells.values() for value in _values(row)),
                *means[model],
            )
            for model, cells in lines.items()
        ),
        rules=(1,),
        notes=(*_notes(runs), *own_weights_notes([*points.values()]), *origin_notes(runs)),
        warnings=(
            *_other_averages(runs),
            *comparison_warnings(runs),
            *(f"{label}: {text}" for label, own in trees.items() for text in failed_gates(own)),
        ),
    )


def _of_kind(run: Run, kind: str) -> list[Mapping[str, Any]]:
    return [tree for tree in run.results.get("trees", []) if tree["kind"] == kind]


def _check(runs: Sequence[Run]) -> None:
    made_of = {run.label: _made_of(run) for run in runs}
    if len(set(made_of.values())) > 1:
        told = "; ".join(f"{label} has {what}" for label, what in made_of.items())
        raise RunError(f"parameters have a mean only over like mixtures: {told}")
    for run in runs:
        alike = [r for r in runs if study_key(r.results) == study_key(run.results)]
        seeds = [seed for each in alike for seed in each.seeds]
        if len(set(seeds)) < len(seeds):
            raise RunError(
                f"{listing([each.label for each in alike])} are one study with the same seeds; "
                "name each training once"
            )


def _made_of(run: Run) -> str:
    backbone = run.results["provenance"]["backbone"]
    count = len(run.results["experts"])
    return f"{count} experts of {backbone} and a gate of kind {gate_kind(run.results)}"


def _columns(runs: Sequence[Run]) -> list[str]:
    """Each run alone, or where it is one study with others, the rows of them together."""
    joined = {run.label: joined_label(group) for group in studies(runs) for run in group}
    return list(dict.fromkeys(joined.get(run.label, run.label) for run in runs))


def _mean(cells: Cells, field: str) -> float | None:
    """Over all columns; none if one of them lacks it, nor of work for images of other sizes."""
    rows = [row for row in cells.values() if row]
    values = [row.cost[field] for row in rows if field in row.cost]
    if len(values) < len(cells):
        return None
    if field == "macs" and len({row.size for row in rows}) > 1:
        return None
    return fmean(values)


def _mean_texts(means: Sequence[float | None]) -> list[str]:
    return [
        MISSING if mean is None else f"{mean / divisor:.{decimals}f}"
        for mean, (_, _, divisor, decimals) in zip(means, _MEANS, strict=True)
    ]


def _place(tree: Mapping[str, Any] | None) -> tuple[Value, ...]:
    return (tree["kind"], tree["until"], tree["from"]) if tree else ("independent", None, None)


def _values(row: Row | None) -> tuple[Value, ...]:
    if row is None:
        return (None,) * len(_FIELDS)
    area = row.average
    seeds = " ".join(map(str, area.seeds))
    costs = (row.cost.get("params"), row.cost.get("macs"))
    return (area.auc, *(area.ci95 or (None, None)), area.deviation, seeds, *costs)


def _notes(runs: Sequence[Run]) -> list[str]:
    notes = [
        "Average AUC over the distortions that experts are trained on. Intervals are for 95 %, "
        "over the test images; differences to M_mix are in the tables of each run.",
        "Parameters and MACs, with the gate's, are means over the columns; a branch point that not "
        "all of them have gets no mean, nor do MACs for images of other sizes.",
    ]
    if studies(runs):
        notes.append(
            "Runs of one study with other seeds are one column: a mean over all trainings, without "
            "an interval over images."
        )
    return notes


def _other_averages(runs: Sequence[Run]) -> list[str]:
    own = [column for column in columns_of(runs) if column.name == AVERAGE]
    if len(own) == 1:
        return []
    places = "; in ".join(listing([*column.runs]) for column in own)
    return [
        f"COLUMNS NOT TO BE COMPARED: the average is over other distortions or levels in {places}."
    ]
