"""The trees of a study: mixtures whose experts share stages (paper, Section 4), and their keys."""

from dataclasses import dataclass
from itertools import product
from typing import final

from mixqual.artifacts import key_of
from mixqual.config import Fractions, SharingConfig, StudyConfig, TrainingConfig
from mixqual.errors import StudyError
from mixqual.networks import Sharing, stages_of
from mixqual.plan import Plan


@final
@dataclass(frozen=True)
class Tree:
    """One mixture of a study whose experts share stages, first, last, or both."""

    plan: Plan
    sharing: Sharing
    config: SharingConfig

    @property
    def name(self) -> str:
        """What the mixture is called among the models."""
        resolved = "_resolved" if self.config.weights == "resolve" else ""
        return self.sharing.name + resolved

    @property
    def ceiling(self) -> str:
        """The name of the same mixture under the true weights of each image's level."""
        return f"{self.name}_true"

    @property
    def control(self) -> str | None:
        """The name of the single network with the same stages frozen, if there is one."""
        baseline = self._first_baseline
        return f"{baseline}_{self.sharing.name}" if baseline and self.config.control else None

    @property
    def experts(self) -> list[str]:
        """The experts with a branch of their own; that of the clean one is M_clean's."""
        return [name for name in self.plan.config.experts if name != self.plan.start]

    @property
    def branches(self) -> list[str]:
        """All networks to train: the branches of the experts, and the control."""
        return [*self.experts, *([self.control] if self.control else [])]

    @property
    def training(self) -> TrainingConfig:
        """How the branches are trained."""
        return self.config.training or self.plan.config.training

    def twin(self, name: str) -> str:
        """The unshared network that a branch is trained like: on the same distortions and draws."""
        return name if name in self.plan.config.experts else str(self._first_baseline)

    def fractions(self, name: str) -> Fractions:
        """What a branch is trained on."""
        config, twin = self.plan.config, self.twin(name)
        return (config.experts.get(twin) or config.baselines[twin]).distort

    def branch_key(self, name: str, seed: int) -> str:
        """Of a trained branch."""
        return key_of(
            {
                "clean": self.plan.network_key(str(self.plan.start), seed),
                "shared": [self.sharing.until, self.sharing.from_],
                "split": self.plan.split_key,
                "distort": self.plan.mix_key(self.fractions(name)),
                "like": self.twin(name),
                "training": self.training.model_dump(),
                "seed": seed,
            }
        )

    def weights_key(self, seed: int) -> str:
        """Of the optimal weights: those of the independent experts, or solved for the branches."""
        if self.config.weights == "reuse":
            return self.plan.weights_key(seed)
        return key_of(
            {
                "branches": self._mixture_key(seed),
                "cells": [[c.distortion, c.level, c.draw] for c in self.plan.val_cells],
                "images": self.plan.outputs_key("", "val", seed),
            }
        )

    def gate_key(self, seed: int) -> str:
        """Of the gate."""
        return self.plan.gate_key(seed, self.weights_key(seed))

    def outputs_folder(self, split: str, seed: int) -> str:
        """Where a sweep writes what the mixture says, of test images also under true weights."""
        mixture = key_of(
            {
                "branches": self._mixture_key(seed),
                "gate": self.gate_key(seed),
                "weights": self.weights_key(seed),
            }
        )
        return f"outputs-{self.plan.outputs_key(mixture, split, seed)}.zarr"

    def control_folder(self, split: str, seed: int) -> str:
        """Where a sweep writes what the control says."""
        key = self.branch_key(str(self.control), seed)
        return f"outputs-{self.plan.outputs_key(key, split, seed)}.zarr"

    def swept(self, split: str, seed: int) -> dict[str, tuple[str, ...]]:
        """The arrays that a sweep fills, and the models whose probabilities stand in each.

        On validation images the ceiling is left out: nothing is chosen by what it says of them.
        """
        mixtures = (self.name,) if split == "val" else (self.name, self.ceiling)
        control = {self.control_folder(split, seed): (self.control,)} if self.control else {}
        return {self.outputs_folder(split, seed): mixtures, **control}

    @property
    def _first_baseline(self) -> str | None:
        baselines = self.plan.config.baselines
        return next((name for name in baselines if not baselines[name].continues), None)

    def _mixture_key(self, seed: int) -> str:
        keys = {name: self.branch_key(name, seed) for name in self.experts}
        # The order of the experts is that of the weights.
        return key_of({"branches": keys, "order": list(self.plan.config.experts)})


def trees_of(plan: Plan) -> list[Tree]:
    """The trees of a study, in its order; stage names are as the study gives them."""
    return [
        Tree(plan, sharing, config)
        for config in plan.config.sharing
        for sharing in _sharings(config)
    ]


def with_canonical_stages(config: StudyConfig) -> StudyConfig:
    """The study with listed names for its shared stages, so that no alias trains one again.

    Raises `BackboneError` for a backbone that cannot be cut or has no such stage, `StudyError` for
    the same tree twice or a name that is taken.
    """
    if not config.sharing:
        return config
    stages = stages_of(config.backbone)
    tables = []
    for table in config.sharing:
        for sharing in _sharings(table):
            found = stages.canonical(sharing)
            names = {"until": found.until or (), "from_": found.from_ or ()}
            tables.append(table.model_copy(update=names))
    renamed = config.model_copy(update={"sharing": tuple(tables)})
    _check_names(trees_of(Plan(renamed, "")))
    return renamed


def _sharings(config: SharingConfig) -> list[Sharing]:
    until, start = (
        (names,) if isinstance(names, str) else names or (None,)
        for names in (config.until, config.from_)
    )
    return [Sharing(*pair) for pair in product(until, start)]


def _check_names(trees: list[Tree]) -> None:
    taken = {name for tree in trees for name in (*tree.plan.config.experts, *tree.plan.networks)}
    controls: set[str] = set()
    trainings: dict[Sharing, TrainingConfig] = {}
    for tree in trees:
        own, control = {tree.name, tree.ceiling}, tree.control
        clashes = own & (taken | controls) | ({control} & taken if control else set())
        # With other weights a tree has the same branches, which must be trained the same way.
        if trainings.setdefault(tree.sharing, tree.training) != tree.training:
            clashes.add(control or tree.sharing.name)
        for name in sorted(clashes):
            raise StudyError(
                f"sharing: {name!r} would be the name of two networks; name each pair of stages "
                "once, or give the other network another name"
            )
        taken |= own
        controls |= {control} if control else set()
