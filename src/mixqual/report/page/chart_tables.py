"""The tables behind the charts: the same numbers for screen readers, for print, and to sort."""

from mixqual.layout import Table, numbers
from mixqual.report.labels import distortion_title, level_quantity, level_title
from mixqual.report.page.charts import COST_AXES, costed_models, level_keys
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE
from mixqual.results.wording import model_label


def accuracy_table(results: Results, distortion: str) -> Table:
    """Accuracy in percent of every model at every level of one distortion, with intervals."""
    levels = results["distortions"][distortion]["levels"]
    keys = level_keys(results, distortion)
    rows, records = [], []
    for model in results["models"]:
        accuracy = results["accuracy"][model][distortion]
        intervals = results["accuracy_ci95"][model][distortion]
        texts = [
            f"{100 * accuracy[key]:.1f} [{100 * intervals[key][0]:.1f}, "
            f"{100 * intervals[key][1]:.1f}]"
            for key in keys
        ]
        rows.append((model_label(model), *texts))
        records.append((model, *(accuracy[key] for key in keys)))
    return Table(
        title=f"Accuracy in percent against {level_title(results, distortion)}",
        header=("Model", *(f"{level:.3g}" for level in levels)),
        rows=tuple(rows),
        align=("left", *numbers(len(keys))),
        fields=("model", *keys),
        records=tuple(records),
        notes=("[low, high]: 95 % interval over the test images.",),
    )


def weights_table(results: Results, distortion: str) -> Table:
    """Optimal weights, and what the gate makes of test images, at every level."""
    parts = ("weights", "gate_weights", "gate_weights_std")
    tables = [results[part][distortion] for part in parts]
    records = tuple(
        (level, expert, *(table[key][expert] for table in tables))
        for level, key in zip(
            results["distortions"][distortion]["levels"],
            level_keys(results, distortion),
            strict=True,
        )
        for expert in results["experts"]
    )
    return Table(
        title=f"Weights of the experts under {distortion_title(distortion)}",
        header=(
            f"Level {level_quantity(results, distortion)}".replace("Level level", "Level"),
            "Expert",
            "Optimal weight",
            "Gate, mean",
            "Gate, deviation",
        ),
        rows=tuple(
            (f"{level:.3g}", model_label(expert), *(f"{value:.3f}" for value in values))
            for level, expert, *values in records
        ),
        align=("right", "left", *numbers(3)),
        fields=("level", "expert", "optimal_weight", "gate_mean", "gate_std"),
        records=records,
    )


def cost_table(results: Results) -> Table:
    """Average AUC and costs of every model that can be built."""
    models = costed_models(results)
    areas = [results["auc"][model][AVERAGE] for model in models]
    fields = [field for field, _, _ in COST_AXES]
    rows = []
    for model, area in zip(models, areas, strict=True):
        low, high = area["ci95"]
        costs = [results["cost"][model][field] / divisor for field, _, divisor in COST_AXES]
        texts = [f"{cost:.3f}" for cost in costs]
        rows.append((model_label(model), f"{area['auc']:.3f} [{low:.3f}, {high:.3f}]", *texts))
    return Table(
        title="Average AUC and costs of every model",
        header=("Model", "Average AUC", *(title for _, title, _ in COST_AXES)),
        rows=tuple(rows),
        align=("left", *numbers(1 + len(COST_AXES))),
        fields=("model", "auc", *fields),
        records=tuple(
            (model, area["auc"], *(results["cost"][model][field] for field in fields))
            for model, area in zip(models, areas, strict=True)
        ),
    )
