"""The tables of a report, computed from results; `layout` draws them."""

from typing import Any

from mixqual.layout import Table, Value, csv_text, numbers
from mixqual.report.differences import Difference, difference
from mixqual.report.labels import (
    averages,
    distortion_title,
    kind_of,
    latency_text,
    models_without_trees,
    table_columns,
)
from mixqual.report.notes import auc_notes, auc_warnings
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, HELD_OUT, level_key
from mixqual.results.wording import model_label, signed, signed_interval

# Field of the results, column title, divisor, decimals.
_COSTS = (
    ("params", "Params (M)", 1e6, 2),
    ("macs", "MACs (G)", 1e9, 3),
    ("latency_ms", "Latency (ms)", 1, 1),
    ("experts_run", "Experts run", 1, None),
)
_MISSING = "–"


def auc_table(results: Results) -> Table:
    """The paper's Table 2 for this run, with intervals and with what each model costs."""
    models = models_without_trees(results)
    every = [*results["distortions"], *averages(results)]
    columns = [*table_columns(results), *averages(results)]
    seeds = results["provenance"]["seeds"]
    parts = ["auc", "low", "high", "auc_without_clean"]
    parts += ["low_trainings", "high_trainings"] if has_trainings(results) else []
    fields = ["model", "kind"]
    for name in every:
        fields += [f"{name}_{part}" for part in parts]
        fields += [f"{name}_auc_seed_{seed}" for seed in seeds]
    return Table(
        title=f"{results['name']}: area under the accuracy curve",
        header=(
            "Model",
            *(_area_title(name) for name in columns),
            *(title for _, title, _, _ in _COSTS),
        ),
        rows=tuple(
            (
                model_label(model),
                *(_area_text(results["auc"][model][name]) for name in columns),
                *_cost_texts(results["cost"].get(model, {})),
            )
            for model in models
        ),
        align=("left", *numbers(len(columns) + len(_COSTS))),
        fields=(*fields, *(field for field, _, _, _ in _COSTS)),
        records=tuple(_auc_record(results, model, every) for model in models),
        rules=_rules([_group(results, model) for model in models]),
        notes=auc_notes(results),
        warnings=auc_warnings(results),
    )


def distortions_table(results: Results) -> Table | None:
    """The AUC of every model on every distortion, where these are too many for the main table."""
    names = list(results["distortions"])
    if table_columns(results):
        return None
    models = models_without_trees(results)
    held_out = results.get("held_out", [])
    rows = [
        (
            distortion_title(name) + (" (held out)" if name in held_out else ""),
            *(f"{results['auc'][model][name]['auc']:.3f}" for model in models),
        )
        for name in sorted(names, key=lambda name: name in held_out)
    ]
    return Table(
        title=f"{results['name']}: AUC by distortion",
        header=("Distortion", *(model_label(model) for model in models)),
        rows=tuple(rows),
        align=("left", *numbers(len(models))),
        fields=("distortion", *models),
        records=tuple(
            (name, *(results["auc"][model][name]["auc"] for model in models)) for name in names
        ),
        rules=(len(names) - len(held_out),) if held_out else (),
        notes=("Intervals are in auc.csv.",),
    )


def comparisons_table(results: Results, against: str = "mix") -> Table:
    """One model minus each other model, on average and on each distortion.

    The verdict is that of the average; the CSV has one for each distortion too.
    """
    over = has_trainings(results)
    columns = [*averages(results), *results["distortions"]]
    shown = [*averages(results)[1:], *table_columns(results)]
    found = {
        model: cells
        for model in models_without_trees(results)
        if None not in (cells := [difference(results, against, model, name) for name in columns])
    }
    rows = {model: [cell for cell in cells if cell] for model, cells in found.items()}
    own = model_label(against)
    return Table(
        title=f"{results['name']}: {own} minus each other model",
        header=(
            "Other model",
            "Average",
            f"{own} is",
            *(["Over trainings too"] if over else []),
            *(_area_title(name) for name in shown),
        ),
        rows=tuple(
            (
                model_label(model),
                _difference_text(cells[0]),
                cells[0].verdict,
                *([signed_interval(cells[0].trainings)] if cells[0].trainings else []),
                *(_difference_text(cells[columns.index(name)]) for name in shown),
            )
            for model, cells in rows.items()
        ),
        align=("left", "right", "left", *numbers(over + len(shown))),
        fields=(
            *("a", "b", "distortion", "delta", "low", "high", "verdict"),
            *(("low_trainings", "high_trainings") if over else ()),
        ),
        records=tuple(
            (
                *(cell.a, cell.b, cell.distortion, cell.delta, cell.low, cell.high, cell.verdict),
                *(cell.trainings or ()),
            )
            for cells in rows.values()
            for cell in cells
        ),
        rules=_rules([_group(results, model) for model in rows]),
        notes=(
            "Differences of AUC with 95 % intervals. They are paired: both models saw the same "
            "test images with the same distortions. The intervals of two single models may "
            "overlap where the interval of their difference excludes zero.",
            '"No difference shown" means that the interval contains zero, not that the models are '
            "equal. Intervals are not adjusted for the number of comparisons.",
            *(_over_trainings(results) if over else ()),
        ),
        warnings=auc_warnings(results) if against in ("mix", "hardmix") else (),
    )


def _over_trainings(results: Results) -> tuple[str]:
    counts = results["provenance"]
    return (
        f"Over trainings too: the interval of the average over the {len(counts['seeds'])} "
        f"trainings and the {counts['images']['test']} test images, both taken as draws of many "
        "more. Whether one way to train is better than another goes by this one, what these very "
        "networks are worth by the others.",
    )


def accuracy_csv(results: Results) -> str:
    """Accuracy of every model at every level, with its 95 % interval."""
    records: list[tuple[Value, ...]] = []
    for model in results["models"]:
        for name, grid in results["distortions"].items():
            accuracy = results["accuracy"][model][name]
            intervals = results["accuracy_ci95"][model][name]
            for level in grid["levels"]:
                key = level_key(level)
                records.append((model, name, level, accuracy[key], *intervals[key]))
    return csv_text(("model", "distortion", "level", "accuracy", "low", "high"), records)


def weights_csv(results: Results) -> str:
    """Optimal weights and the gate's output at every level."""
    records: list[tuple[Value, ...]] = []
    tables = [results[name] for name in ("weights", "gate_weights", "gate_weights_std")]
    for name, grid in results["distortions"].items():
        for level in grid["levels"]:
            key = level_key(level)
            records += [
                (name, level, expert, *(table[name][key][expert] for table in tables))
                for expert in results["experts"]
            ]
    fields = ("distortion", "level", "expert", "optimal_weight", "gate_mean", "gate_std")
    return csv_text(fields, records)


def has_trainings(results: Results) -> bool:
    """Whether intervals over trainings were made: older results have none, nor has one training."""
    return all("ci95_trainings" in areas[AVERAGE] for areas in results["auc"].values())


def _area_title(name: str) -> str:
    title = distortion_title(name)
    return title if name in (AVERAGE, HELD_OUT) else f"{title} AUC"


def _area_text(area: dict[str, Any]) -> str:
    low, high = area["ci95"]
    return f"{area['auc']:.3f} [{low:.3f}, {high:.3f}]"


def _difference_text(cell: Difference) -> str:
    return f"{signed(cell.delta)} {signed_interval((cell.low, cell.high))}"


def _cost_texts(cost: dict[str, Any]) -> list[str]:
    """The costs of a model; a ceiling has none, as it cannot be built."""
    texts = []
    for field, _, divisor, decimals in _COSTS:
        value = cost.get(field)
        if value is None:
            texts.append(_MISSING)
        elif field == "latency_ms":
            texts.append(latency_text(cost))
        else:
            texts.append(f"{value:g}" if decimals is None else f"{value / divisor:.{decimals}f}")
    return texts


def _auc_record(results: Results, model: str, columns: list[str]) -> tuple[Value, ...]:
    record: list[Value] = [model, kind_of(results, model)]
    for name in columns:
        area = results["auc"][model][name]
        record += [area["auc"], *area["ci95"], area["auc_without_clean"]]
        record += [*area.get("ci95_trainings", ()), *area["seeds"]]
    cost = results["cost"].get(model, {})
    return (*record, *(cost.get(field) for field, _, _, _ in _COSTS))


def _group(results: Results, model: str) -> str:
    kind = kind_of(results, model)
    return "single" if kind in ("expert", "baseline", "control") else kind


def _rules(groups: list[str]) -> tuple[int, ...]:
    """Where one group of rows ends and the next begins."""
    return tuple(row for row in range(1, len(groups)) if groups[row] != groups[row - 1])
