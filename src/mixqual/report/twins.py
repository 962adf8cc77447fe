"""The table of accuracies with and without the test images that have a twin elsewhere."""

from mixqual.layout import Table, Value, numbers
from mixqual.report.labels import distortion_title
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, level_key
from mixqual.results.wording import model_label, signed


def twins_table(results: Results) -> Table | None:
    """One row a model: its accuracy on clean images and its average area, on all and on the rest.

    None if all test images are apart from all others, or none is.
    """
    without = results.get("without_twins") or {}
    if "auc" not in without:
        return None
    left, everything = without["images"], results["provenance"]["images"]["test"]
    return Table(
        title=f"{results['name']}: with and without the test images that have a twin elsewhere",
        header=(
            "Model",
            f"Clean, all {everything}",
            f"Clean, other {left}",
            "difference",
            f"AUC, all {everything}",
            f"AUC, other {left}",
            "difference",
        ),
        rows=tuple(
            (
                model_label(model),
                *_compared(_clean(results, model), _clean(without, model)),
                *_compared(*(each["auc"][model][AVERAGE]["auc"] for each in (results, without))),
            )
            for model in results["models"]
        ),
        align=("left", *numbers(6)),
        fields=("model", "distortion", "level", "accuracy", "without_twins", "low", "high"),
        records=tuple(
            record for model in results["models"] for record in _records(results, without, model)
        ),
        notes=(
            f"{without['twins']} of {everything} test images are, by their file, their pixels or "
            "their group, also in another split, or in another class as well (leaks.csv). The "
            f"others are measured alone here; AUC is the average over distortions "
            f"({', '.join(distortion_title(name) for name in results['distortions'])}).",
        ),
    )


def _clean(measured: Results, model: str) -> float:
    by_level = next(iter(measured["accuracy"][model].values()))
    return float(next(iter(by_level.values())))


def _compared(with_twins: float, without: float) -> tuple[str, str, str]:
    return f"{with_twins:.3f}", f"{without:.3f}", signed(without - with_twins)


def _records(results: Results, without: Results, model: str) -> list[tuple[Value, ...]]:
    return [
        (
            model,
            name,
            level,
            results["accuracy"][model][name][key],
            without["accuracy"][model][name][key],
            *without["accuracy_ci95"][model][name][key],
        )
        for name, grid in results["distortions"].items()
        for level in grid["levels"]
        for key in [level_key(level)]
    ]
