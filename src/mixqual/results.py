"""From scores to `results.json`: accuracies, areas, intervals and comparisons of all models."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import (
    Bootstrap,
    Cell,
    ErrorRates,
    Keep,
    auc_weights,
    confusion_matrix,
    corruption_error_results,
    interval_over_trainings,
    kept_interval,
    kept_level,
)
from mixqual.fusion import Answers, Correct, level_rows
from mixqual.report import AVERAGE, BEYOND, HELD_OUT, NEVER, level_key

_DIGITS = 6
_MOST_CLASSES = 30


@final
@dataclass(frozen=True)
class Scored:
    """What is known of every model after testing, seed by seed."""

    cells: Sequence[Cell]
    levels: Mapping[str, tuple[float, ...]]
    """The grid of each distortion, the clean level first."""
    by_seed: Mapping[int, Correct]
    held_out: Sequence[str] = ()
    """Distortions that no expert was trained on: they have an average of their own."""

    @property
    def models(self) -> list[str]:
        """All models, in the order of the table."""
        return list(next(iter(self.by_seed.values())))

    @property
    def averages(self) -> dict[str, list[str]]:
        """What each average is the mean of."""
        averages = {AVERAGE: [name for name in self.levels if name not in self.held_out]}
        return averages | ({HELD_OUT: list(self.held_out)} if self.held_out else {})

    def among(self, kept_N: NDArray[np.bool_]) -> "Scored":
        """The same of some of the images."""
        by_seed = {
            seed: {model: right_VN[:, kept_N] for model, right_VN in correct.items()}
            for seed, correct in self.by_seed.items()
        }
        return replace(self, by_seed=by_seed)

    def mean_over_seeds(self, model: str) -> NDArray[np.float64]:
        """(cell, image): the share of seeds that get the image right."""
        mean_VN: NDArray[np.float64] = np.mean(
            [correct[model] for correct in self.by_seed.values()], axis=0, dtype=np.float64
        )
        return mean_VN

    def contributions(self, model: str, distortion: str) -> NDArray[np.float64]:
        """(training, image): the part of each image in the AUC, whose mean over images it is."""
        weights_V = self.area_weights(distortion)
        return np.stack([weights_V @ correct[model] for correct in self.by_seed.values()])

    def area_weights(self, distortion: str, include_clean: bool = True) -> NDArray[np.float64]:
        """One weight a cell: their product with a model's accuracies is its (average) AUC."""
        weights_V = np.zeros(len(self.cells))
        names = self.averages.get(distortion, [distortion])
        for name in names:
            rows = level_rows(self.cells, name, self.levels[name])
            # The clean cell serves every distortion, so weights add up.
            weights_V[rows] += auc_weights(self.levels[name], include_clean) / len(names)
        return weights_V


def accuracy_tables(scored: Scored, bootstrap: Bootstrap) -> dict[str, Any]:
    """The `accuracy`, `accuracy_ci95` and `auc` tables: model, distortion, then level or figure."""
    accuracy: dict[str, Any] = {}
    accuracy_ci95: dict[str, Any] = {}
    areas: dict[str, Any] = {}
    for model in scored.models:
        right_VN = scored.mean_over_seeds(model)
        accuracy[model], accuracy_ci95[model], areas[model] = {}, {}, {}
        for name, levels in scored.levels.items():
            rows = level_rows(scored.cells, name, levels)
            keys = [level_key(level) for level in levels]
            accuracy[model][name] = dict(
                zip(keys, _rounded(right_VN[rows].mean(1).tolist()), strict=True)
            )
            accuracy_ci95[model][name] = {
                key: _rounded(bootstrap.interval(right_VN[row]))
                for key, row in zip(keys, rows, strict=True)
            }
        for name in (*scored.levels, *scored.averages):
            areas[model][name] = _area(scored, bootstrap, model, name)
    return {"auc": areas, "accuracy": accuracy, "accuracy_ci95": accuracy_ci95}


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


def corruption_errors(scored: Scored, baseline: str, bootstrap: Bootstrap) -> dict[str, Any]:
    """The `corruption_error` table: each model's errors as percentages of those of a network."""
    rates = {model: _error_rates(scored, model) for model in scored.models}
    of_baseline = rates[baseline]
    means = ErrorRates(
        baseline,
        float(np.mean(of_baseline.clean)),
        {name: float(np.mean(rate)) for name, rate in of_baseline.distorted.items()},
        "the same images",
    )
    return {
        model: corruption_error_results(rate, means, bootstrap) for model, rate in rates.items()
    }


def comparisons(scored: Scored, bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """The difference in AUC of every two models, paired over the same resampled images."""
    rows = []
    for name in (*scored.levels, *scored.averages):
        each_SN = {model: scored.contributions(model, name) for model in scored.models}
        # The later model of the table first: ensembles against what they have to beat.
        for b, a in combinations(scored.models, 2):
            delta_SN = each_SN[a] - each_SN[b]
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "distortion": name,
                    "delta": round(float(delta_SN.mean()), _DIGITS),
                    **intervals(delta_SN, bootstrap),
                }
            )
    return rows


def _area(scored: Scored, bootstrap: Bootstrap, model: str, name: str) -> dict[str, Any]:
    area_SN = scored.contributions(model, name)
    accuracy_V = scored.mean_over_seeds(model).mean(1)
    without_clean = scored.area_weights(name, include_clean=False) @ accuracy_V
    return {
        "auc": round(float(area_SN.mean()), _DIGITS),
        "auc_without_clean": round(float(without_clean), _DIGITS),
        **intervals(area_SN, bootstrap),
        "seeds": _rounded(area_SN.mean(1).tolist()),
    }


def intervals(contributions_SN: NDArray[np.float64], bootstrap: Bootstrap) -> dict[str, Any]:
    """`ci95`, over the images, and of several trainings `ci95_trainings`, over these as well."""
    intervals = {"ci95": _rounded(bootstrap.interval(contributions_SN.mean(0)))}
    if len(contributions_SN) > 1:
        intervals["ci95_trainings"] = _rounded(interval_over_trainings(contributions_SN))
    return intervals


def _error_rates(scored: Scored, model: str) -> ErrorRates:
    """One number an image: the mean over seeds, and over the levels of a distortion."""
    wrong_VN = 1 - scored.mean_over_seeds(model)
    rows = {name: level_rows(scored.cells, name, levels) for name, levels in scored.levels.items()}
    distorted = {name: wrong_VN[rows[name][1:]].mean(0) for name in scored.averages[AVERAGE]}
    return ErrorRates(model, wrong_VN[next(iter(rows.values()))[0]], distorted)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
