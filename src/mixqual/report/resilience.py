"""The tables of `mixqual evaluate`: how good a classifier is at each level of each distortion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixqual.artifacts import refusing_full_disk, write_atomically
from mixqual.counting import counted
from mixqual.layout import Table, Value, csv_text, numbers
from mixqual.report.labels import distortion_title, level_title, listing
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, level_key

_MISSING = "–"
_METRICS = ("class_mean_accuracy", "nll", "ece")
"""Beside the accuracy; the error rate is only in files, as it is one minus that."""


def resilience_table(results: Results) -> Table:
    """Every level's accuracy and other metrics, then the area under each curve, for each model."""
    rows: list[tuple[str, ...]] = []
    records: list[tuple[Value, ...]] = []
    rules: list[int] = []
    empty = ("",) * len(_METRICS)
    for model in results["models"]:
        for name, grid in results["distortions"].items():
            rules.append(len(rows))
            for level in grid["levels"]:
                key = level_key(level)
                accuracy = results["accuracy"][model][name][key]
                interval = results["accuracy_ci95"][model][name][key]
                metrics = results["metrics"][model][name][key]
                others = (f"{metrics[metric]:.3f}" for metric in _METRICS)
                rows.append((level_title(results, name), key, _text(accuracy, *interval), *others))
                records.append((model, name, level, accuracy, *interval))
        rules.append(len(rows))
        for name in (*results["distortions"], AVERAGE):
            area = results["auc"][model][name]
            text = _text(area["auc"], *area["ci95"])
            rows.append((f"{distortion_title(name)} AUC", "", text, *empty))
            records.append((model, f"{name}_auc", None, area["auc"], *area["ci95"]))
    left_out = results["provenance"]["left_out"]
    info = results["metric_info"]
    return Table(
        title=f"{results['name']}: accuracy as quality falls",
        header=(
            "Distortion",
            "Level",
            "Accuracy [95 % interval]",
            *(info[metric]["name"] for metric in _METRICS),
        ),
        rows=tuple(rows),
        align=("left", "right", "right", *numbers(len(_METRICS))),
        fields=("model", "distortion", "level", "value", "low", "high"),
        records=tuple(records),
        rules=tuple(rules[1:]),
        notes=(
            _images(results),
            _model(results),
            _classes(results),
            "AUC: trapezoid rule over all levels, clean included, divided by their range.",
            *(_definition(info[metric]) for metric in _METRICS),
        ),
        warnings=(
            *results.get("doubts", ()),
            *((f"left out: {counted(left_out, 'file')}; --json names them",) if left_out else ()),
        ),
    )


def corruption_table(results: Results) -> Table | None:
    """The corruption errors of each distortion and their means; None without a baseline."""
    found = results.get("corruption_error")
    if not found:
        return None
    baseline = found["baseline"]
    rows = [
        (
            distortion_title(name),
            *(_percent(row[field], 100) for field in ("error", "baseline_error")),
            *(_percent(row[field], 1) for field in ("ce", "relative_ce")),
        )
        for name, row in found["distortions"].items()
    ]
    means = (_mean(found["mce"]), _mean(found["relative_mce"]))
    undefined = [name for name, row in found["distortions"].items() if row["relative_ce"] is None]
    return Table(
        title=f"{results['name']}: errors as percentages of those of {baseline}",
        header=("Distortion", "Error (%)", f"{baseline}'s (%)", "CE", "Relative CE"),
        rows=(*rows, ("Mean: mCE and relative mCE [95 % interval]", "", "", *means)),
        align=("left", "right", "right", "right", "right"),
        fields=("distortion", "error", "baseline_error", "ce", "relative_ce"),
        records=tuple(
            (name, *(row[field] for field in ("error", "baseline_error", "ce", "relative_ce")))
            for name, row in found["distortions"].items()
        ),
        rules=(len(rows),),
        notes=(
            *(_definition(info) for info in found["metric_info"].values()),
            f"Error: mean over the levels, clean not included. On clean images "
            f"{_percent(found['clean_error'], 100)} %, {baseline} "
            f"{_percent(found['baseline_clean_error'], 100)} %.",
            f"Baseline: {baseline}, {found['source']}. Intervals are over the images of this "
            "model; the baseline's errors are taken as they are.",
            *_no_ratio(baseline, undefined),
            *_not_exact(results),
        ),
    )


def resilience_csv(results: Results) -> str:
    """All metrics as CSV, one row a distortion and level."""
    counts = ("n", "right", "classes")
    metrics = tuple(results["metric_info"])
    records: list[tuple[Value, ...]] = []
    for model in results["models"]:
        for name, grid in results["distortions"].items():
            for level in grid["levels"]:
                key = level_key(level)
                measured = results["metrics"][model][name][key]
                interval = results["accuracy_ci95"][model][name][key]
                values = (measured[field] for field in (*counts, *metrics))
                records.append((model, name, level, grid["unit"], *values, *interval))
    fields = ("model", "distortion", "level", "unit", *counts, *metrics)
    return csv_text((*fields, "accuracy_low", "accuracy_high"), records)


def write_csv(results: Results, path: Path) -> None:
    """Write `resilience_csv` into a file; raises `RunError` if it cannot be written."""
    with refusing_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, resilience_csv(results))


def _images(results: Results) -> str:
    origin = results["provenance"]
    return (
        f"{counted(origin['images']['test'], 'image')} of {len(origin['classes'])} "
        f"classes{_split(origin)}, "
        f"{origin['size']}×{origin['size']} px; bootstrap over images; seed {origin['seeds'][0]}."
    )


def _split(origin: Mapping[str, Any]) -> str:
    """Which of the folder's splits the images are."""
    split = origin.get("split", {})
    if not split.get("used"):
        return ""
    if split["used"] == "all":
        return " (of all splits, what was trained on included)"
    aside = listing([f"{name} ({count})" for name, count in split["aside"].items()])
    rest = f"; left aside: {aside}" if aside else ""
    return f" (the folder's {split['used']} split{rest})"


def _classes(results: Results) -> str:
    """How the folders were found among the model's outputs."""
    return f"Folders: {results['provenance'].get('class_order', 'the outputs in their order')}."


def _model(results: Results) -> str:
    """How the model was read, and what its outputs were taken for."""
    facts = results["provenance"]["model"]
    name = f"{facts['format']} file {facts['file']}" if "file" in facts else facts["format"]
    takes = f", input {facts['input']}" if "input" in facts else ""
    return (
        f"Model: {name}{takes}; preprocessing {facts['preprocessing']}; outputs {facts['scores']}."
    )


def _definition(info: Mapping[str, Any]) -> str:
    return f"{info['name']} ({info['better']} is better): {info['formula']}. {info['source']}."


def _no_ratio(baseline: str, undefined: list[str]) -> tuple[str, ...]:
    if not undefined:
        return ()
    names = ", ".join(distortion_title(name) for name in undefined)
    return (f"No relative CE for {names}: {baseline} loses nothing there to compare with.",)


def _not_exact(results: Results) -> tuple[str, ...]:
    """Of ImageNet-C: what a published baseline saw in another form."""
    grids = results["distortions"]
    names = [distortion_title(name) for name in grids if grids[name].get("exact") is False]
    if not names:
        return ()
    return (
        f"Not the original corruptions of ImageNet-C, but models of the same with about the same "
        f"damage: {', '.join(names)}. Published errors are of the originals.",
    )


def _mean(mean: Mapping[str, Any]) -> str:
    if mean["value"] is None:
        return _MISSING
    low, high = mean["ci95"]
    return f"{mean['value']:.1f} [{low:.1f}, {high:.1f}]"


def _percent(value: float | None, factor: float) -> str:
    return _MISSING if value is None else f"{factor * value:.1f}"


def _text(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
