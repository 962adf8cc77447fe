"""A whole study."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mixqual.config.distortions import DistortionConfig
from mixqual.config.images import DataConfig, SplitConfig
from mixqual.config.networks import (
    BackboneConfig,
    BaselineConfig,
    ExpertConfig,
    SharingConfig,
)
from mixqual.config.runtime import RuntimeConfig
from mixqual.config.table import MOST_NETWORKS, MOST_SEED, Name, Table
from mixqual.config.training import MOST_BATCH, FitConfig, Fractions, GateConfig, TrainingConfig

MOST_CELLS = 20_000
"""Of a set of images: levels of distortions, in all their draws."""


class EvaluationConfig(Table):
    """The sweep over distortions and levels, and the statistics made from it."""

    batch_size: int = Field(64, ge=1, le=MOST_BATCH)
    noise_draws: int = Field(4, ge=1, le=100)
    """Draws of each random distortion per validation image, for the optimal weights."""
    bootstrap: int = Field(2000, ge=100, le=100_000)
    """Resamples of the test images for the confidence intervals."""
    keep_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((0.9,), max_length=100)
    """Levels are stated up to which a model keeps these shares of its accuracy on clean images."""
    keep_accuracies: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((), max_length=100)
    """And levels up to which it keeps these accuracies."""
    leave_one_out: bool = False
    """For each distortion also test a mixture that has never seen it: without the experts that were
    trained on it, and under a gate of its own."""


def _check_sum(where: str, fractions: Fractions) -> None:
    if sum(fractions.values()) > 1 + 1e-9:
        raise ValueError(f"{where}: the fractions add up to {sum(fractions.values()):g}, over 1")


_ENSEMBLES = {"avg", "max", "hardmix", "mix", "mix_true", "mix_unseen", "best_expert", "gate"}
_ENSEMBLES |= {"conditional"}
_AVERAGES = {"clean", "average", "held_out_average"}
"""Names that results have for other things than the networks, or distortions, of a study."""


class StudyConfig(Table):
    """A whole study."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    seeds: tuple[Annotated[int, Field(le=MOST_SEED)], ...] = Field(
        (0,), min_length=1, max_length=1000
    )
    """One complete training per seed, on the same split."""
    data: DataConfig
    split: SplitConfig = SplitConfig()
    backbone: BackboneConfig
    distortions: dict[Name, DistortionConfig] = Field(min_length=1, max_length=MOST_NETWORKS)
    experts: dict[Name, ExpertConfig] = Field(min_length=2, max_length=MOST_NETWORKS)
    baselines: dict[Name, BaselineConfig] = Field(default_factory=dict, max_length=MOST_NETWORKS)
    training: TrainingConfig = TrainingConfig()
    gate: GateConfig = GateConfig()
    sharing: tuple[SharingConfig, ...] = Field((), max_length=MOST_NETWORKS)
    """One table, or several as [[sharing]]."""
    evaluation: EvaluationConfig = EvaluationConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @property
    def clean(self) -> str | None:
        """The expert without distortions, if there is one."""
        return next((name for name, expert in self.experts.items() if not expert.distort), None)

    def first_of(self, name: str) -> str | None:
        """The network that has to be trained before another as that starts from it, if any."""
        own = self.experts.get(name) or self.baselines[name]
        if isinstance(own, BaselineConfig) and own.continues:
            return own.continues
        if own.start:
            return own.start
        clean = self.clean if self.training_of(name).start == "clean" else None
        return clean if name != clean else None

    def training_of(self, name: str) -> TrainingConfig:
        """How a network is trained."""
        own = self.experts.get(name) or self.baselines[name]
        training = own.training or self.training
        patience = own.patience if isinstance(own, BaselineConfig) else None
        return training.model_copy(update={"patience": patience}) if patience else training

    def recipes(self) -> list[tuple[FitConfig, list[str]]]:
        """Each way in which something is trained, and what it is that is trained so."""
        ways: list[tuple[FitConfig, list[str]]] = []

        def add(name: str, training: FitConfig) -> None:
            for way, names in ways:
                if way == training:
                    names.append(name)
                    return
            ways.append((training, [name]))

        for name in (*self.experts, *self.baselines):
            add(name, self.training_of(name))
        add("gate", self.gate)
        for table in self.sharing:
            if table.training:
                add("branches", table.training)
        return ways

    @model_validator(mode="after")
    def _cells_are_bounded(self) -> Self:
        levels = sum(distortion.steps for distortion in self.distortions.values())
        cells = levels * self.evaluation.noise_draws
        if cells > MOST_CELLS:
            raise ValueError(
                f"distortions: all `steps` together, {levels}, in evaluation.noise_draws = "
                f"{self.evaluation.noise_draws} draws are {cells:,} cells, more than "
                f"{MOST_CELLS:,}; lower them"
            )
        return self

    @model_validator(mode="after")
    def _sharing_has_a_start(self) -> Self:
        if self.sharing and all(expert.distort for expert in self.experts.values()):
            raise ValueError(
                "sharing needs an expert without distortions: its stages are the shared ones"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(
                f"seeds must be different whole numbers of at least 0, not {list(self.seeds)}"
            )
        mixes = {f"experts.{name}.distort": e.distort for name, e in self.experts.items()}
        mixes |= {f"baselines.{name}.distort": b.distort for name, b in self.baselines.items()}
        mixes["gate.distort"] = self.gate.distort or {}
        for where, fractions in mixes.items():
            _check_sum(where, fractions)
            for name in fractions.keys() - self.distortions.keys():
                raise ValueError(f"{where} names {name!r}, which has no [distortions.{name}] table")
        clean = [name for name, expert in self.experts.items() if not expert.distort]
        if len(clean) > 1:
            raise ValueError(f"experts: only one may be without distortions, not {clean}")
        for name in (self.experts.keys() | self.baselines.keys()) & _ENSEMBLES:
            raise ValueError(f"{name!r} is the name of an ensemble; give the network another name")
        for name in self.distortions.keys() & _AVERAGES:
            raise ValueError(
                f"distortions.{name}: the results have other numbers of that name; give the "
                "distortion another one, and its `kind`"
            )
        for name in self.experts.keys() & self.baselines.keys():
            raise ValueError(f"{name!r} is an expert and a baseline; give one another name")
        for name, baseline in self.baselines.items():
            first = baseline.continues
            if first and (first not in self.baselines or self.baselines[first].continues):
                raise ValueError(
                    f"baselines.{name}.continues names {first!r}, which is no baseline "
                    "with a `distort` of its own"
                )
        return self

    @model_validator(mode="after")
    def _starts_are_known(self) -> Self:
        networks: dict[str, ExpertConfig | BaselineConfig] = {**self.experts, **self.baselines}
        for name, network in networks.items():
            start = self.baselines.get(network.start) if network.start else None
            if start and start.continues:
                raise ValueError(
                    f"{name}: start = {network.start!r} is a baseline that waits for all experts; "
                    f"start from {start.continues!r}, which it continues"
                )
            path = [name]
            while first := self.first_of(path[-1]):
                if first not in networks:
                    raise ValueError(f"{path[-1]}: start = {first!r} names no network of the study")
                if first in path:
                    raise ValueError(f"{' starts from '.join([*path, first])}: that is a circle")
                path.append(first)
        if self.evaluation.leave_one_out and any(e.start for e in self.experts.values()):
            raise ValueError(
                "evaluation.leave_one_out: an expert with a `start` has seen what the network has "
                "that it starts from; leave out one of the two"
            )
        for name, baseline in self.baselines.items():
            schedule = self.training_of(baseline.continues or name).schedule
            if baseline.continues and schedule != "constant":
                raise ValueError(
                    f"baselines.{name}.continues: {baseline.continues} ends with its {schedule} "
                    "schedule; give this one `distort`, and in `training` as many `max_epochs` as "
                    "all experts have together"
                )
        return self


def with_recipe(study: dict[str, Any]) -> dict[str, Any]:
    """A study that is not yet checked, with what its [training] says of other tables.

    Gate and branches go by its recipe, unless they name one; and a list of distortions in `distort`
    becomes equal fractions of what is `distorted`.
    """
    training = study.get("training", {})
    recipe = {"recipe": training["recipe"]} if "recipe" in _table(training) else {}
    study = dict(study)
    if recipe and isinstance(study.get("gate", {}), dict):
        study["gate"] = {**recipe, **study.get("gate", {})}
    if isinstance(study.get("sharing"), list):
        study["sharing"] = [
            {**table, "training": {**recipe, **table["training"]}}
            if _table(_table(table).get("training"))
            else table
            for table in study["sharing"]
        ]
    for kind in ("experts", "baselines"):
        if _table(study.get(kind)):
            study[kind] = {n: _with_training(each, training) for n, each in study[kind].items()}
    return study


def _table(value: Any) -> dict[str, Any]:
    """The value if it is a table; whatever else it is will be refused later."""
    return value if isinstance(value, dict) else {}


def _with_training(network: Any, training: Any) -> Any:
    """The table of a network with all settings of its own training, and fractions for a list."""
    network, own = _table(network) or network, _table(_table(network).get("training"))
    if own:
        # Another recipe begins anew; otherwise what is said changes what holds for all.
        same = own.get("recipe") in (None, _table(training).get("recipe", "paper"))
        training = {**(_table(training) if same else {}), **own}
        network = {**network, "training": training}
    names = _table(network).get("distort")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return network
    share = TrainingConfig.share_distorted(training) / max(1, len(names))
    return {**network, "distort": dict.fromkeys(names, share)}
