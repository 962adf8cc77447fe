"""All that `results.json` holds, as one object."""

import json
from collections.abc import Collection, Mapping
from typing import Self, final

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from mixqual.config.table import Table
from mixqual.errors import RunError
from mixqual.results.accuracy import (
    Area,
    Comparison,
    Confusion,
    CorruptionError,
    Kept,
    MetricInfo,
    Metrics,
    Unseen,
    WithoutTwins,
)
from mixqual.results.decisions import Conditional, Cost, Recommendation, StageCost, Trust
from mixqual.results.provenance import Grid, Leak, LeftOut, Provenance, Recipe
from mixqual.results.table import ByLevel, Interval
from mixqual.results.training import ByExpert, Gate, Training, Tree


@final
class RunResults(Table):
    """The content of a run's `results.json`.

    Tables by model go on by distortion, or average, and then by level as `level_key` writes it.
    What has a default did not stand in results of earlier versions, which are kept as they are.
    """

    name: str
    provenance: Provenance
    recipes: tuple[Recipe, ...] = ()
    experts: tuple[str, ...]
    clean: str | None
    """The expert that has never seen a distortion; None if each of them has."""
    baselines: tuple[str, ...]
    controls: tuple[str, ...]
    """Networks that trees are compared with: trained on all distortions, sharing the same."""
    models: tuple[str, ...]
    """All of them, in the order of the table."""
    held_out: tuple[str, ...]
    """Distortions that no expert was trained on."""
    distortions: dict[str, Grid]
    auc: dict[str, dict[str, Area]]
    accuracy: dict[str, ByLevel]
    """Means over trainings, in 0...1."""
    accuracy_ci95: dict[str, dict[str, dict[str, Interval]]]
    """Over the test images."""
    kept_levels: dict[str, dict[str, dict[str, Kept]]] = Field(default_factory=dict)
    """By model, distortion and what is enough, such as "90%"."""
    metrics: dict[str, dict[str, dict[str, Metrics]]] = Field(default_factory=dict)
    confusion: dict[str, dict[str, dict[str, Confusion]]] = Field(default_factory=dict)
    """Empty if there are too many classes."""
    metric_info: dict[str, MetricInfo] = Field(default_factory=dict)
    corruption_error: dict[str, CorruptionError] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...]
    left_out: tuple[LeftOut, ...]
    leaks: tuple[Leak, ...] = ()
    without_twins: WithoutTwins = WithoutTwins()
    unseen: tuple[Unseen, ...] = ()
    weights: ByExpert
    """Optimal weights; means over trainings."""
    gate_weights: ByExpert
    """What the gate says of the test images; means over these and the trainings."""
    gate_weights_std: ByExpert
    """Their standard deviation."""
    trees: tuple[Tree, ...] = ()
    cost: dict[str, Cost]
    conditional: Conditional | None = None
    recommendation: Recommendation | None = None
    stages: tuple[StageCost, ...] = ()
    """Of the backbone, in their order; empty if it cannot be cut."""
    gate: tuple[Gate, ...]
    """One a training."""
    trust: tuple[Trust, ...] = ()
    """A row for each judged model and training."""
    largest_gap: float
    """Between a solution of Eq. 4 and the best that its dual allows, over all cells."""
    training: dict[str, dict[str, Training]]
    """By seed, then by network or branch ("tree_blocks.5/noise")."""
    command: str | None = None
    study_text: str | None = None
    """What makes the study again; None of a study that was not read from a file."""

    @classmethod
    def of(cls, table: object, where: object) -> Self:
        """Check a table that was read, or is to be written; `where` is its file, for messages.

        Raises `RunError` that names the file, the field and the value.
        """
        try:
            # By way of JSON, where strict validation takes a list for a tuple.
            found = cls.model_validate_json(json.dumps(table if isinstance(table, Mapping) else {}))
            faults = []
        except ValidationError as error:
            found, faults = None, error.errors(include_url=False)
        lacking = [_field(fault) for fault in faults if fault["type"] == "missing"]
        lacking += found._models_lacking() if found else []
        if lacking:
            raise RunError(
                f"{where} is not what `mixqual run` writes: it lacks {', '.join(lacking)}"
            )
        if not found:
            raise RunError(
                f"{where} is not what `mixqual run` writes: {_field(faults[0])}: "
                f"{faults[0]['msg']}, not {_short(faults[0]['input'])}"
            )
        return found

    def _models_lacking(self) -> list[str]:
        tables: dict[str, Collection[str]] = {
            "auc": self.auc,
            "accuracy": self.accuracy,
            "accuracy_ci95": self.accuracy_ci95,
        }
        return [
            f"{table}.{model}"
            for table, by_model in tables.items()
            for model in self.models
            if model not in by_model
        ]

    @property
    def original_network(self) -> str:
        """The network that has never seen a distortion, or the first expert if each of them has."""
        return self.clean or self.experts[0]

    def trust_of(self, model: str, seed: int) -> Trust | None:
        """How far the answers of a model of one training can be trusted; None if not judged."""
        rows = (row for row in self.trust if (row.model, row.seed) == (model, seed))
        return next(rows, None)

    def tree(self, model: str) -> Tree | None:
        """The tree of this name; None if it is another kind of model."""
        return next((tree for tree in self.trees if tree.model == model), None)


def _field(fault: ErrorDetails) -> str:
    return ".".join(map(str, fault["loc"]))


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
