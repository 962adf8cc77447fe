"""What is known of every model in each cell, as results have it: levels, metrics, confusions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation.areas import Answers, Scored, level_rows
from mixqual.evaluation.confusion import confusion_matrix
from mixqual.evaluation.curves import Bootstrap
from mixqual.evaluation.kept_levels import kept_interval, kept_level
from mixqual.keep import Keep
from mixqual.results.names import BEYOND, NEVER, level_key

_DIGITS = 6
_MOST_CLASSES = 30


def kept_tables(scored: Scored, keeps: Sequence[Keep], bootstrap: Bootstrap) -> dict[str, Any]:
    """The `kept_levels` table: model, distortion, what is enough, then the level up to which it is.

    In place of a level stands "beyond" if even the last one keeps it, "never" if the clean one does
    not.
    """
    tables: dict[str, Any] = {model: {} for model in scored.models}
    for model in scored.models:
        for name, levels in scored.levels.items():
            rows = level_rows(scored.cells, name, levels)
            right_VN = scored.mean_over_seeds(model)[rows]
            curves = [correct[model][rows].mean(1) for correct in scored.by_seed.values()]
            tables[model][name] = {
                keep.name: {
                    "level": _place(kept_level(levels, right_VN.mean(1).tolist(), keep)),
                    "ci95": [
                        _place(end) for end in kept_interval(levels, right_VN, keep, bootstrap)
                    ],
                    "seeds": [_place(kept_level(levels, c.tolist(), keep)) for c in curves],
                }
                for keep in keeps
            }
    return tables


def _place(level: float) -> float | str:
    if math.isinf(level):
        return BEYOND if level > 0 else NEVER
    return round(level, _DIGITS)


def metric_tables(
    scored: Scored, by_seed: Mapping[int, Mapping[str, Sequence[Mapping[str, float]]]]
) -> dict[str, Any]:
    """The `metrics` table: model, distortion, level, then what `measure` says; means over seeds.

    `by_seed` has what `measure_models` returns for the same cells.
    """
    models = list(next(iter(by_seed.values())))
    tables: dict[str, Any] = {model: {} for model in models}
    for model in models:
        for name, levels in scored.levels.items():
            tables[model][name] = {
                level_key(level): {
                    metric: round(
                        float(np.mean([found[model][row][metric] for found in by_seed.values()])),
                        _DIGITS,
                    )
                    for metric in ("class_mean_accuracy", "nll", "ece")
                }
                for level, row in zip(levels, level_rows(scored.cells, name, levels), strict=True)
            }
    return tables


def confusion_tables(
    scored: Scored, by_seed: Mapping[int, Answers], labels_N: NDArray[np.int64], classes: int
) -> dict[str, Any]:
    """The `confusion` table: model, distortion, level, then counts (true class, answer).

    Counts are summed over seeds. It is empty above 30 classes, which are too many to look at.
    """
    if classes > _MOST_CLASSES:
        return {}

    def counts(model: str, row: int) -> list[list[int]]:
        each = [confusion_matrix(a[model][row], labels_N, classes) for a in by_seed.values()]
        return np.sum(each, axis=0).tolist()  # type: ignore[no-any-return]

    return {
        model: {
            name: {
                level_key(level): counts(model, row)
                for level, row in zip(levels, level_rows(scored.cells, name, levels), strict=True)
            }
            for name, levels in scored.levels.items()
        }
        for model in next(iter(by_seed.values()))
    }
