"""The table of `mixqual evaluate`: a classifier's accuracy at each level of each distortion."""

from mixqual.report.labels import (
    AVERAGE,
    Results,
    distortion_title,
    level_key,
    level_title,
)
from mixqual.report.layout import Table, Value


def resilience_table(results: Results) -> Table:
    """Accuracy at every level, then the area under each curve, for each model of the results."""
    rows: list[tuple[str, ...]] = []
    records: list[tuple[Value, ...]] = []
    rules: list[int] = []
    for model in results["models"]:
        for name, grid in results["distortions"].items():
            rules.append(len(rows))
            for level in grid["levels"]:
                key = level_key(level)
                accuracy = results["accuracy"][model][name][key]
                low, high = results["accuracy_ci95"][model][name][key]
                rows.append((level_title(results, name), key, _text(accuracy, low, high)))
                records.append((model, name, level, accuracy, low, high))
        rules.append(len(rows))
        for name in (*results["distortions"], AVERAGE):
            area = results["auc"][model][name]
            rows.append((f"{distortion_title(name)} AUC", "", _text(area["auc"], *area["ci95"])))
            records.append((model, f"{name}_auc", None, area["auc"], *area["ci95"]))
    origin = results["provenance"]
    left_out = origin["left_out"]
    return Table(
        title=f"{results['name']}: accuracy as quality falls",
        header=("Distortion", "Level", "Accuracy [95 % interval]"),
        rows=tuple(rows),
        align=("left", "right", "right"),
        fields=("model", "distortion", "level", "value", "low", "high"),
        records=tuple(records),
        rules=tuple(rules[1:]),
        notes=(
            f"{origin['images']['test']} images of {len(origin['classes'])} classes; bootstrap "
            f"over images; seed {origin['seeds'][0]}.",
            "AUC: trapezoid rule over all levels, clean included, divided by their range.",
        ),
        warnings=(f"{left_out} files were left out; --json lists them.",) if left_out else (),
    )


def _text(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
