"""What models, distortions and numbers are called in tables and figures."""

import re
from collections.abc import Mapping
from typing import Any

from mixqual.report.figure_text import drawable
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, CEILINGS, HELD_OUT
from mixqual.results.wording import model_label

_MOST_COLUMNS = 3
_TITLES = {
    "gaussian_noise": "Noise",
    "gaussian_blur": "Blur",
    "jpeg": "JPEG",
    AVERAGE: "Average",
    HELD_OUT: "Held-out average",
}


def figure_label(model: str) -> str:
    """The same with a true subscript, for matplotlib."""
    if model in CEILINGS or not re.fullmatch(r"\w+", model, re.ASCII):
        return drawable(model_label(model))
    subscript = model.replace("_", r"\_")
    return rf"$M_{{\mathrm{{{subscript}}}}}$"


def kind_of(results: Results, model: str) -> str:
    """Return "expert", "baseline", "control", "ensemble", "tree" or "ceiling"."""
    if model in results["experts"]:
        return "expert"
    if model in results["baselines"]:
        return "baseline"
    for tree in results.get("trees", []):
        roles = {tree["model"]: "tree", tree["control"]: "control", tree["ceiling"]: "ceiling"}
        if model in roles:
            return roles[model]
    return "ceiling" if model in CEILINGS else "ensemble"


def models_without_trees(results: Results) -> list[str]:
    """All models but the trees, their controls and their ceilings, which have their own tables."""
    roles = ("model", "control", "ceiling")
    of_trees = {tree[role] for tree in results.get("trees", []) for role in roles}
    return [model for model in results["models"] if model not in of_trees]


def averages(results: Results) -> list[str]:
    """The means over distortions that a run has."""
    return [AVERAGE, *([HELD_OUT] if results["held_out"] else [])]


def table_columns(results: Results) -> list[str]:
    """The distortions that a table of models has room for: all if they are few, else none."""
    names = list(results["distortions"])
    return names if len(names) <= _MOST_COLUMNS else []


def main_baseline(results: Results) -> str | None:
    """The paper's M_all, or the first baseline of a study that names it otherwise."""
    baselines = results["baselines"]
    return "all" if "all" in baselines else next(iter(baselines), None)


def recipes(results: Results) -> list[str]:
    """How everything was trained, a sentence for each way; older results do not say it."""
    told = []
    for row in results.get("recipes", []):
        names = [n if n in ("gate", "branches") else model_label(n) for n in row["networks"]]
        told.append(f"{listing(names)}: {row['in_words']}")
    return told


def gate_kind(results: Results) -> str:
    """The kind of a run's gate."""
    return str(results["provenance"]["gate"])


def distortion_title(distortion: str) -> str:
    """A distortion in words: Noise and Blur, as in the paper, for the two it studies."""
    return _TITLES.get(distortion, distortion.replace("_", " ").capitalize())


def level_title(results: Results, distortion: str) -> str:
    """The label of a level axis with its unit, such as "Noise σ (grey levels)"."""
    title, unit = distortion_title(distortion), level_unit(results, distortion)
    quantity = level_quantity(results, distortion)
    last = title.split()[-1].lower()
    # "Low light light lost" and "Contrast contrast" say a word twice.
    quantity = " ".join(quantity.split()[quantity.split()[:1] == [last] :])
    return f"{title} {quantity}".rstrip() + f" ({unit})"


def level_quantity(results: Results, distortion: str) -> str:
    """What the level of a distortion is, such as σ."""
    return str(results["distortions"][distortion]["quantity"])


def level_unit(results: Results, distortion: str) -> str:
    """The unit of the level of a distortion; pixels with the size of the images they are of."""
    unit, size = results["distortions"][distortion]["unit"], results["provenance"].get("size")
    return f"pixels at {size} px" if unit == "pixels" and size else str(unit)


def latency_text(cost: Mapping[str, Any], decimals: int = 1) -> str:
    """Milliseconds, with the range of the middle half of the times; older results have none."""
    text, bounds = f"{cost['latency_ms']:.{decimals}f}", ("latency_ms_low", "latency_ms_high")
    if not all(name in cost for name in bounds):
        return text
    low, high = (f"{cost[name]:.{decimals}f}" for name in bounds)
    return f"{text} ({low}–{high})"


def falling(results: Results, distortion: str) -> bool:
    """Whether damage grows as the level of a distortion falls."""
    levels = results["distortions"][distortion]["levels"]
    return bool(levels[-1] < levels[0])


def listing(words: list[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
