"""From right answers to accuracies, areas, intervals and comparisons of all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation.corruption_error import ErrorRates, corruption_error_results
from mixqual.evaluation.curves import Bootstrap, auc_weights
from mixqual.evaluation.outputs import Cell
from mixqual.evaluation.trainings import interval_over_trainings
from mixqual.results.names import AVERAGE, CLEAN, HELD_OUT, level_key

_DIGITS = 6

Correct = dict[str, NDArray[np.bool_]]
"""Model to (cell, image): whether the class with the highest score is the true one."""

Answers = dict[str, NDArray[np.int64]]
"""Model to (cell, image): the class with the highest score, the first of equal ones."""


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


def level_rows(cells: Sequence[Cell], distortion: str, levels: Sequence[float]) -> list[int]:
    """The positions of a distortion's levels among the cells, the clean cell for the first."""
    places = {(cell.distortion, cell.level): index for index, cell in enumerate(cells)}
    return [places[CLEAN, 0.0], *(places[distortion, level] for level in levels[1:])]
