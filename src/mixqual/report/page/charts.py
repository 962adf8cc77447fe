"""The numbers that the page draws, as plain data: `page.js` turns them into charts.

Nothing is rounded: what is drawn is what `results.json` has.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mixqual.report.labels import distortion_title, kind_of, level_title
from mixqual.report.page.models import model_looks
from mixqual.report.trees import branch_point
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, level_key

Chart = dict[str, Any]

# Field of the costs, label, divisor.
COST_AXES = (
    ("params", "Parameters (millions)", 1e6),
    ("macs", "MACs an image (billions)", 1e9),
    ("latency_ms", "Latency of one image (ms)", 1.0),
)


def chart_data(results: Results) -> dict[str, Any]:
    """All that is drawn: the looks of the models, and the charts."""
    return {
        "models": {
            model: {
                "label": look.label,
                "colour": {"light": look.light, "dark": look.dark},
                "symbol": look.symbol,
                "dash": look.dash or "solid",
                "shown": look.shown,
            }
            for model, look in model_looks(results).items()
        },
        "accuracy": accuracy_charts(results),
        "weights": weight_charts(results),
        "cost": cost_chart(results),
    }


def accuracy_charts(results: Results) -> list[Chart]:
    """For each distortion the accuracy of every model against level, with 95 % intervals."""
    charts = []
    for distortion in results["distortions"]:
        keys = level_keys(results, distortion)
        series = []
        for model in results["models"]:
            accuracy = results["accuracy"][model][distortion]
            intervals = results["accuracy_ci95"][model][distortion]
            series.append(
                {
                    "model": model,
                    "values": [accuracy[key] for key in keys],
                    "low": [intervals[key][0] for key in keys],
                    "high": [intervals[key][1] for key in keys],
                }
            )
        charts.append(_chart(results, distortion, series))
    return charts


def weight_charts(results: Results) -> list[Chart]:
    """Figure 4: for each distortion the optimal weights, and the gate's mean and deviation."""
    charts = []
    for distortion in results["distortions"]:
        keys = level_keys(results, distortion)
        tables = {
            "optimal": results["weights"][distortion],
            "mean": results["gate_weights"][distortion],
            "std": results["gate_weights_std"][distortion],
        }
        series = [
            {
                "model": expert,
                **{part: [table[key][expert] for key in keys] for part, table in tables.items()},
            }
            for expert in results["experts"]
        ]
        charts.append(_chart(results, distortion, series))
    return charts


def cost_chart(results: Results) -> Chart:
    """Average AUC of every model that can be built, against each of its costs."""
    names = {tree["model"]: branch_point(tree) for tree in results.get("trees", [])}
    return {
        "axes": [{"field": field, "title": title} for field, title, _ in COST_AXES],
        "points": [
            {
                "model": model,
                "kind": kind_of(results, model),
                "branch": names.get(model, ""),
                "auc": results["auc"][model][AVERAGE]["auc"],
                "low": results["auc"][model][AVERAGE]["ci95"][0],
                "high": results["auc"][model][AVERAGE]["ci95"][1],
                **{
                    field: results["cost"][model][field] / divisor
                    for field, _, divisor in COST_AXES
                },
            }
            for model in costed_models(results)
        ],
    }


def costed_models(results: Results) -> list[str]:
    """The models that have a cost; a ceiling has none, as it cannot be built."""
    return [model for model in results["models"] if model in results["cost"]]


def level_keys(results: Results, distortion: str) -> list[str]:
    """The keys that the results have for the levels of a distortion, the clean one first."""
    return [level_key(level) for level in results["distortions"][distortion]["levels"]]


def _chart(results: Results, distortion: str, series: Sequence[Mapping[str, Any]]) -> Chart:
    levels = results["distortions"][distortion]["levels"]
    return {
        "distortion": distortion,
        "title": distortion_title(distortion),
        "axis": level_title(results, distortion),
        "levels": levels,
        "falling": levels[-1] < levels[0],  # damage grows to the right, whichever way levels go
        "series": series,
    }
