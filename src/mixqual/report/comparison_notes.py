"""What a reader of several runs has to know: how they differ, and what follows for comparing."""

from collections.abc import Callable, Sequence
from typing import Any

from mixqual.report.comparison import Column, Run, seed_count, studies, study_key
from mixqual.report.labels import distortion_title, listing
from mixqual.report.notes import auc_warnings
from mixqual.results.names import AVERAGE, HELD_OUT

_ORIGIN: tuple[tuple[str, str], ...] = (
    ("backbone", "Backbone"),
    ("weights", "First weights"),
    ("size", "Size of the images in pixels, with which levels in pixels are scaled,"),
    ("version", "Version of mixqual"),
    ("device", "Device"),
)


def comparison_notes(runs: Sequence[Run], columns: Sequence[Column]) -> tuple[str, ...]:
    """How to read the table, and every difference between the runs that it may come from."""
    return (
        "Intervals are for 95 %, over the test images of each run. Between runs nothing is paired, "
        "as results.json has no scores of single images. SD: standard deviation over the seeds, "
        "that is over trainings, of the average AUC; each seed's own stand beside it.",
        *_data(runs),
        *origin_notes(runs),
        *_levels(runs, columns),
        *_seeds(runs),
    )


def comparison_warnings(runs: Sequence[Run]) -> tuple[str, ...]:
    """The warnings of every run."""
    return tuple(f"{run.label}: {text}" for run in runs for text in auc_warnings(run.results))


def _data(runs: Sequence[Run]) -> list[str]:
    counts = _differing(runs, lambda run: _counts(run.results["provenance"]["images"]))
    classes = _differing(runs, lambda run: ", ".join(_classes(run)))
    credits = _differing(runs, lambda run: run.results["provenance"].get("credit") or "not said")
    notes = []
    if counts or classes or credits:
        parts = [f"images: {counts}"] * bool(counts) + [f"classes: {classes}"] * bool(classes)
        parts += [f"source: {credits}"] * bool(credits)
        notes.append(
            "OTHER DATA: differences between these runs are also differences between their images. "
            f"{'; '.join(parts)}."
        )
    return notes


def origin_notes(runs: Sequence[Run]) -> list[str]:
    """What the runs were made with, where it differs."""

    def differing(key: str) -> str:
        return _differing(runs, lambda run: str(run.results["provenance"].get(key)))

    found = [(title, differing(key)) for key, title in _ORIGIN]
    return [f"{title} differs: {values}." for title, values in found if values]


def _levels(runs: Sequence[Run], columns: Sequence[Column]) -> list[str]:
    """Areas that not all runs have, or have on other levels."""
    notes = []
    for name in dict.fromkeys(column.name for column in columns):
        own = [column for column in columns if column.name == name]
        lacking = [r.label for r in runs if not any(r.label in column.runs for column in own)]
        title = _title(name)
        if len(own) > 1:
            what = "over other distortions or levels" if name in (AVERAGE, HELD_OUT) else _strongest
            places = [
                listing([*column.runs]) + ("" if isinstance(what, str) else what(runs, column))
                for column in own
            ]
            why = what if isinstance(what, str) else "on other levels"
            notes.append(
                f"{title} is {why} in {'; in '.join(places)}: columns of their own, not to be "
                "compared."
            )
        if lacking:
            notes.append(f"{title} was not measured in {listing(lacking)}.")
    return notes


def _strongest(runs: Sequence[Run], column: Column) -> str:
    run = next(run for run in runs if run.label in column.runs)
    grid = run.results["distortions"][column.name]
    strongest = grid.get("max_at_224", grid["levels"][-1])
    return f" ({len(grid['levels'])} levels to {strongest:g} {grid['unit']})"


def _seeds(runs: Sequence[Run]) -> list[str]:
    notes = []
    joined = studies(runs)
    for group in joined:
        how = "" if "study_hash" in group[0].results["provenance"] else _TAKEN
        notes.append(
            f"{listing([run.label for run in group])} are one study with other seeds: the rows "
            f"of all together have the mean over {seed_count(group)} trainings, without an "
            f"interval over images.{how}"
        )
    names = dict.fromkeys(run.results["name"] for run in runs)
    for name in names:
        group = [run for run in runs if run.results["name"] == name]
        if len(group) > 1 and not any(group[0] in one for one in joined):
            same = len({study_key(run.results) for run in group}) == 1
            why = "have seeds in common" if same else "differ in more than their seeds"
            notes.append(f"{listing([run.label for run in group])} {why}: not put together.")
    return notes


_TAKEN = (
    " That they are one study is taken from their name, backbone, images, models and levels: older "
    "results do not tell all settings."
)


def _differing(runs: Sequence[Run], value: Callable[[Run], str]) -> str:
    """Each value with the runs that have it; empty if all have the same."""
    owners: dict[str, list[str]] = {}
    for run in runs:
        owners.setdefault(value(run), []).append(run.label)
    if len(owners) == 1:
        return ""
    return "; ".join(f"{text} in {listing(labels)}" for text, labels in owners.items())


def _classes(run: Run) -> list[str]:
    return [str(name) for name in run.results["provenance"].get("classes", ["not said"])]


def _counts(images: dict[str, Any]) -> str:
    return ", ".join(f"{count} {split}" for split, count in images.items())


def _title(name: str) -> str:
    means = {AVERAGE: "The average", HELD_OUT: "The held-out average"}
    return means.get(name) or f"{distortion_title(name)} AUC"
