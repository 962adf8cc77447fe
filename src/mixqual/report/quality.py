"""What accuracy does not say: of classes, of probabilities, and against the plain network."""

from statistics import fmean
from typing import Any

from mixqual.layout import Table, Value, csv_text, numbers
from mixqual.report.labels import distortion_title, listing, models_without_trees
from mixqual.results.lookups import Results
from mixqual.results.wording import model_label

_METRICS = ("class_mean_accuracy", "nll", "ece")
_ERRORS = ("mce", "relative_mce")
_MISSING = "–"


def quality_table(results: Results) -> Table | None:
    """Class-mean accuracy, NLL and ECE over all levels, and corruption errors, of each model."""
    if "metrics" not in results:  # results of version 0.1
        return None
    models = models_without_trees(results)
    seen = [name for name in results["distortions"] if name not in results["held_out"]]
    info = results["metric_info"]
    errors = results["corruption_error"]
    first = errors[models[0]]
    baseline = model_label(first["baseline"])
    definitions = [*(info[name] for name in _METRICS), *first["metric_info"].values()]
    return Table(
        title=f"{results['name']}: beyond accuracy",
        header=("Model", *(each["name"] for each in definitions)),
        rows=tuple(
            (
                model_label(model),
                *(_number(_mean(results, model, metric, seen), 3) for metric in _METRICS),
                *(_number(errors[model][name]["value"], 1) for name in _ERRORS),
            )
            for model in models
        ),
        align=("left", *numbers(len(definitions))),
        fields=("model", *_METRICS, *_ERRORS),
        records=tuple(
            (
                model,
                *(_mean(results, model, metric, seen) for metric in _METRICS),
                *(errors[model][name]["value"] for name in _ERRORS),
            )
            for model in models
        ),
        notes=(
            "Means over the levels that are not clean of "
            f"{listing([distortion_title(name) for name in seen])}; corruption errors are in "
            f"percent of those of {baseline}. Every level's own are in metrics.csv.",
            *(
                f"{each['name']} ({each['better']} is better): {each['formula']}. {each['source']}."
                for each in definitions
            ),
            "M_max and ceilings give scores that are no probabilities.",
        ),
    )


def metrics_csv(results: Results) -> str:
    """The same metrics at every level of every distortion."""
    records: list[tuple[Value, ...]] = []
    for model, distortions in results["metrics"].items():
        for name, grid in results["distortions"].items():
            records += [
                (model, name, level, *(found[metric] for metric in _METRICS))
                for level, found in zip(grid["levels"], distortions[name].values(), strict=True)
            ]
    return csv_text(("model", "distortion", "level", *_METRICS), records)


def _mean(results: Results, model: str, metric: str, distortions: list[str]) -> float | None:
    tables: dict[str, Any] = results["metrics"].get(model, {})
    if not tables:
        return None
    each = (list(tables[name].values())[1:] for name in distortions)
    return fmean(fmean(found[metric] for found in levels) for levels in each)


def _number(value: float | None, decimals: int) -> str:
    return _MISSING if value is None else f"{value:.{decimals}f}"
