"""Several runs beside each other: which of their areas mean the same, and what each run says."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, final

from mixqual.report.labels import averages, kind_of
from mixqual.report.trees import branch_point
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, HELD_OUT

_FACTS = ("backbone", "weights", "size", "images", "left_out", "classes")
_SAME = ("name", "experts", "baselines", "models")


@final
@dataclass(frozen=True)
class Run:
    """The results of a run, under a name that no other of the runs has."""

    label: str
    results: Results

    @property
    def seeds(self) -> list[int]:
        """The seeds of its trainings."""
        return list(self.results["provenance"]["seeds"])


@final
@dataclass(frozen=True)
class Column:
    """An area that some of the runs have, measured on the same levels: of a distortion, or mean."""

    name: str
    """The distortion, or what `AVERAGE` and `HELD_OUT` are called."""
    grid: str
    """The levels, or those of all distortions that a mean is over."""
    runs: tuple[str, ...]
    """The labels of the runs that have it."""


@final
@dataclass(frozen=True)
class Spread:
    """One area of one model: over the seeds of a run, or of several runs of one study."""

    auc: float
    ci95: tuple[float, float] | None
    """Over the test images; None for several runs, whose images results.json does not tell."""
    seeds: tuple[float, ...]

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds; None for one alone."""
        return stdev(self.seeds) if len(self.seeds) > 1 else None


@final
@dataclass(frozen=True)
class Row:
    """One model of one run, or of several runs of one study together."""

    run: str
    model: str
    kind: str
    backbone: str
    size: int
    sharing: str
    seeds: tuple[int, ...]
    areas: Mapping[Column, Spread]
    average: Spread
    cost: Mapping[str, Any]


def label_runs(found: Sequence[tuple[Path, Results]]) -> list[Run]:
    """Runs under the names of their studies, with their folders where names are the same."""
    names = [results["name"] for _, results in found]
    labels = [
        name if names.count(name) == 1 else f"{name} ({path})"
        for name, (path, _) in zip(names, found, strict=True)
    ]
    return [
        Run(f"{label} #{place + 1}" if labels.count(label) > 1 else label, results)
        for place, (label, (_, results)) in enumerate(zip(labels, found, strict=True))
    ]


def columns_of(runs: Sequence[Run]) -> list[Column]:
    """Every area that a run has; areas on other levels, or over other distortions, are others."""
    owners: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name, grid in _areas(run.results):
            owners.setdefault((name, grid), []).append(run.label)
    place = {AVERAGE: 1, HELD_OUT: 2}
    order = sorted(owners, key=lambda key: place.get(key[0], 0))
    return [Column(*key, tuple(owners[key])) for key in order]


def rows_of(runs: Sequence[Run], columns: Sequence[Column]) -> list[Row]:
    """Every model of every run, then those of runs of one study with other seeds, together."""
    alone = [row for run in runs for row in _rows([run], run.label, columns)]
    together = [
        row for group in studies(runs) for row in _rows(group, joined_label(group), columns)
    ]
    return [*alone, *together]


def joined_label(group: Sequence[Run]) -> str:
    """What the rows of runs of one study together are called."""
    return f"{group[0].results['name']}, {len(group)} runs"


def studies(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs that are one study with other seeds, where there are two or more of it."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(study_key(run.results), []).append(run)
    return [
        group
        for group in groups.values()
        if len(group) > 1 and len({s for run in group for s in run.seeds}) == seed_count(group)
    ]


def seed_count(runs: Sequence[Run]) -> int:
    """How many trainings there are, the same seed counted as often as it is there."""
    return sum(len(run.seeds) for run in runs)


def study_key(results: Results) -> str:
    """What two runs have in common if they differ in their seeds alone.

    Older results do not have the hash of their settings without the seeds; for these it is what
    they tell: name, backbone, images, models and levels.
    """
    origin = results["provenance"]
    if "study_hash" in origin:
        return str(origin["study_hash"])
    facts = [origin.get(key) for key in _FACTS] + [results[key] for key in _SAME]
    return json.dumps([facts, [grid for _, grid in _areas(results)]])


def sharing_of(results: Results, model: str) -> str:
    """Which stages a model shares, in words."""
    for tree in results.get("trees", []):
        if model in (tree["model"], tree["ceiling"], tree["control"]):
            word = {"treenet": "until ", "inverted": "from ", "both": ""}[tree["kind"]]
            frozen = "frozen " if model == tree["control"] else ""
            own = tree["weights"] == "resolve" and model != tree["control"]
            return f"{frozen}{word}{branch_point(tree)}{' (own weights)' if own else ''}"
    return "one network" if kind_of(results, model) in ("expert", "baseline") else "nothing"


def _rows(runs: Sequence[Run], label: str, columns: Sequence[Column]) -> Iterator[Row]:
    results = runs[0].results
    origin = results["provenance"]
    for model in results["models"]:
        yield Row(
            run=label,
            model=model,
            kind=kind_of(results, model),
            backbone=origin["backbone"],
            size=origin["size"],
            sharing=sharing_of(results, model),
            seeds=tuple(seed for run in runs for seed in run.seeds),
            areas={
                column: _spread(runs, model, column.name)
                for column in columns
                if runs[0].label in column.runs
            },
            average=_spread(runs, model, AVERAGE),
            cost=results["cost"].get(model, {}),
        )


def _spread(runs: Sequence[Run], model: str, name: str) -> Spread:
    areas = [run.results["auc"][model][name] for run in runs]
    seeds = tuple(value for area in areas for value in area["seeds"])
    if len(areas) > 1:
        return Spread(fmean(seeds), None, seeds)
    low, high = areas[0]["ci95"]
    return Spread(areas[0]["auc"], (low, high), seeds)


def _areas(results: Results) -> Iterator[tuple[str, str]]:
    """The areas of a run, each with what another area must have in common to mean the same."""
    grids = {name: _grid(results, name) for name in results["distortions"]}
    yield from grids.items()
    held_out = results.get("held_out", [])
    for mean in averages(results):
        over = [grid for name, grid in grids.items() if (name in held_out) == (mean == HELD_OUT)]
        yield mean, json.dumps(sorted(over))


def _grid(results: Results, name: str) -> str:
    """Levels as shares of the strongest, which is that of 224 pixels: size may differ."""
    grid = results["distortions"][name]
    levels = grid["levels"]
    steps = [round((level - levels[0]) / (levels[-1] - levels[0]), 4) for level in levels]
    kind, options = grid.get("kind", name), grid.get("options", {})
    others = [grid.get(key) for key in ("parts", "code")]
    strongest = grid.get("max_at_224", levels[-1])
    return json.dumps([kind, grid["unit"], strongest, steps, options, others], sort_keys=True)
