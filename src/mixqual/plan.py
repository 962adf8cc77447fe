"""What a study will do: the levels it uses, and a key for each of its artifacts.

A key is a hash of all that an artifact depends on, so it can be known before anything is computed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

from mixqual.artifacts import key_of
from mixqual.config import Fractions, StudyConfig
from mixqual.distortions import Distortion, Schedule
from mixqual.evaluation import Cell, grid_cells
from mixqual.level_grids import checked_distortion, identity, level_grid
from mixqual.networks import backbone_preprocessing


@final
@dataclass(frozen=True)
class Plan:
    """A study on images with a given fingerprint."""

    config: StudyConfig
    images_fingerprint: str

    @cached_property
    def distortions(self) -> dict[str, Distortion]:
        """The study's distortions, in its order; raises `StudyError` for unknown ones."""
        return {
            name: checked_distortion(name, settings, self.config.data.size)
            for name, settings in self.config.distortions.items()
        }

    @cached_property
    def levels(self) -> dict[str, tuple[float, ...]]:
        """The test grid of each distortion, the clean level first; pixels scale with the size."""
        return {
            name: level_grid(self.distortions[name], settings, self.config.data.size)
            for name, settings in self.config.distortions.items()
        }

    @property
    def images_folder(self) -> str:
        """Where the decoded images are."""
        return f"images-{self.images_key}"

    def with_contents(self, contents: str | None) -> "Plan":
        """The plan for images of other contents than those that its keys stood for."""
        if contents is None:
            return self
        key = key_of({"images": self.images_fingerprint, "contents": contents})
        return replace(self, images_fingerprint=key)

    def schedule(self, fractions: Fractions) -> Schedule:
        """The training schedule of a network; levels go as far as those of the grid."""
        bounds = {name: (self.levels[name][0], self.levels[name][-1]) for name in fractions}
        return Schedule(fractions, bounds)

    @cached_property
    def gate_fractions(self) -> Fractions:
        """What the gate is trained on, unless the study says.

        Some of each batch is distorted, in equal shares of what the experts are trained on.
        """
        gate, seen = self.config.gate, self._seen_by_experts
        if gate.distort is not None:
            return gate.distort
        return {name: gate.distorted / len(seen) for name in self.levels if name in seen}

    @property
    def held_out(self) -> list[str]:
        """The distortions that neither an expert nor the gate is trained on."""
        seen = self._seen_by_experts | self.gate_fractions.keys()
        return [name for name in self.levels if name not in seen]

    @property
    def _seen_by_experts(self) -> set[str]:
        return {name for expert in self.config.experts.values() for name in expert.distort}

    def without(self, distortion: str) -> "Plan | None":
        """The plan of a mixture that never saw a distortion: without the experts trained on it.

        Networks, splits and sweeps have the keys they have here. None if it leaves fewer than two
        experts, or nothing to train a gate on.
        """
        config = self.config
        experts = {n: e for n, e in config.experts.items() if distortion not in e.distort}
        fractions = {n: f for n, f in (config.gate.distort or {}).items() if n != distortion}
        if len(experts) < 2 or (config.gate.distort and not fractions):
            return None
        gate = config.gate.model_copy(update={"distort": fractions or None})
        changes = {"experts": experts, "baselines": {}, "sharing": (), "gate": gate}
        plan = Plan(config.model_copy(update=changes), self.images_fingerprint)
        return plan if plan.gate_fractions else None

    @property
    def without_each(self) -> "dict[str, Plan]":
        """The plans of mixtures that never saw one distortion, if the study asks for them."""
        if not self.config.evaluation.leave_one_out:
            return {}
        plans = {name: self.without(name) for name in self.levels if name not in self.held_out}
        return {name: plan for name, plan in plans.items() if plan}

    @property
    def start(self) -> str | None:
        """The expert without distortions: M_clean."""
        return self.config.clean

    @property
    def test_cells(self) -> list[Cell]:
        """The cells of the test sweep: one draw of each level."""
        return grid_cells(self.levels, {})

    @property
    def val_cells(self) -> list[Cell]:
        """The cells for the optimal weights: several draws of random distortions."""
        draws = {
            name: self.config.evaluation.noise_draws
            for name, kind in self.distortions.items()
            if kind.random
        }
        return grid_cells(self.levels, draws)

    def cells(self, split: str) -> list[Cell]:
        """The cells in which a split is swept: "val", or "test"."""
        return self.val_cells if split == "val" else self.test_cells

    @property
    def networks(self) -> list[str]:
        """All single networks, each after those that it needs, the clean expert first."""
        experts = sorted(self.config.experts, key=lambda name: name != self.start)
        baselines = self.config.baselines
        wanted = experts + sorted(baselines, key=lambda name: baselines[name].continues is not None)
        ordered: dict[str, None] = {}

        def add(name: str) -> None:
            for other in self.needed_by(name):
                add(other)
            ordered.setdefault(name)

        for name in wanted:
            add(name)
        return list(ordered)

    def needed_by(self, name: str) -> list[str]:
        """The networks that are trained before another one."""
        first, baseline = self.config.first_of(name), self.config.baselines.get(name)
        others = self.config.experts if baseline and baseline.continues else ()
        return [*([first] if first else []), *others]

    @cached_property
    def images_key(self) -> str:
        """Of the decoded images with the table of what is known of them."""
        return key_of({"pixels": self._pixels_key, "table": 2})

    @cached_property
    def _pixels_key(self) -> str:
        """Of the decoded images: all that follows depends on these, not on the form of a table."""
        # Not named where it changes nothing, so that what is decoded without it stays valid.
        reduced = {"fast_jpeg": 1} if self.config.data.fast_jpeg else {}
        return key_of(
            {
                "images": self.images_fingerprint,
                "size": self.config.data.size,
                "interpolation": backbone_preprocessing(self.config.backbone).interpolation,
                **reduced,
            }
        )

    @cached_property
    def split_key(self) -> str:
        """Of the splits."""
        return key_of({"images": self._pixels_key, "split": self.config.split.model_dump()})

    @cached_property
    def _backbone(self) -> dict[str, str]:
        weights = self.config.backbone.weights
        path = Path(weights)
        if weights not in ("default", "random", "packaged") and path.is_file():
            weights = hashlib.sha256(path.read_bytes()).hexdigest()
        # Not named where it is new, as it always was.
        kept = {"head": "keep"} if self.config.backbone.head == "keep" else {}
        return {"name": self.config.backbone.name, "weights": weights, **kept}

    def network_key(self, name: str, seed: int) -> str:
        """Of a trained expert or baseline."""
        config = self.config
        baseline, first = config.baselines.get(name), config.first_of(name)
        training = config.training_of(name)
        if baseline and baseline.continues:
            return key_of(
                {
                    "continues": self.network_key(baseline.continues, seed),
                    "as_long_as": [self.network_key(expert, seed) for expert in config.experts],
                    "patience": training.patience,
                }
            )
        fractions = baseline.distort if baseline else config.experts[name].distort
        return key_of(
            {
                "start": self.network_key(first, seed) if first else self._backbone,
                "split": self.split_key,
                "distort": self.mix_key(fractions),
                # What it starts from is said above.
                "training": training.model_dump(exclude={"start"}),
                "seed": seed,
            }
        )

    @property
    def pretrained(self) -> list[str]:
        """The artifacts of the networks that start from the weights of the backbone."""
        return [
            f"network-{self.network_key(name, seed)}"
            for seed in self.config.seeds
            for name in self.networks
            if not self.config.first_of(name)
            and not (name in self.config.baselines and self.config.baselines[name].continues)
        ]

    def outputs_folder(self, name: str, split: str, seed: int) -> str:
        """Where a sweep writes the outputs of a network, or of the gate if it is called "gate"."""
        network = self.gate_key(seed) if name == "gate" else self.network_key(name, seed)
        return f"outputs-{self.outputs_key(network, split, seed)}.zarr"

    def outputs_key(self, network_key: str, split: str, seed: int) -> str:
        """Of what the network with a key says about a split's images under all distortions."""
        settings = {name: self._identity(name) for name in self.levels}
        return key_of(
            {
                "network": network_key,
                "images": self.split_key,
                "split": split,
                "seed": seed,
                "distortions": settings,
                "batch_size": self.config.evaluation.batch_size,
            }
        )

    def weights_key(self, seed: int) -> str:
        """Of the optimal weights."""
        return key_of(
            {
                # A list, not a table: weights are columns in the order of the experts.
                "outputs": [
                    [name, self.outputs_key(self.network_key(name, seed), "val", seed)]
                    for name in self.config.experts
                ],
                "cells": [[c.distortion, c.level, c.draw] for c in self.val_cells],
            }
        )

    def gate_key(self, seed: int, weights_key: str | None = None) -> str:
        """Of the trained gate: for the experts' optimal weights, or for others."""
        return key_of(
            {
                "weights": weights_key or self.weights_key(seed),
                "distort": self.mix_key(self.gate_fractions),
                "gate": self.config.gate.model_dump(exclude={"distort"}),
                "seed": seed,
            }
        )

    def mix_key(self, fractions: Mapping[str, float]) -> list[Any]:
        """What a training schedule depends on, for a key."""
        return [
            [name, fraction, self.levels[name][-1], self._identity(name)]
            for name, fraction in fractions.items()
        ]

    def _identity(self, name: str) -> dict[str, Any]:
        return identity(self.config.distortions[name], self.distortions[name])
