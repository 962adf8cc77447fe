"""The stages of a study: each makes one artifact from earlier ones, or finds it made."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from mixqual.artifacts import read_json, write_json
from mixqual.config import TrainingConfig
from mixqual.data import (
    ImageIndex,
    ImageSet,
    decode_images,
    make_splits,
    open_images,
    read_splits,
    refuse_leaks,
    write_splits,
)
from mixqual.distortions import Assignment
from mixqual.evaluation import CLEAN_CELL, Cell
from mixqual.fusion import interpolate_weights, solve
from mixqual.networks import backbone_preprocessing, build_classifier
from mixqual.results.names import CLEAN
from mixqual.seeding import derive_seed
from mixqual.split_sweep import sweep_split
from mixqual.training import Augmentation, Fitted, Task, fit, validation_assignment
from mixqual.workbench import (
    Workbench,
    fitted,
    load_best,
    network_folder,
    untrained_gate,
    untrained_network,
)


@final
@dataclass(frozen=True)
class OptimalWeights:
    """Eq. 4 solved at every grid level: one row of weights a level, the clean one first."""

    levels: Mapping[str, tuple[float, ...]]
    weights_VE: Mapping[str, np.ndarray]
    largest_gap: float
    """The certificate: no level's cross-entropy is further than this above its optimum."""

    def at(self, distortion: str, levels_B: Tensor) -> Tensor:
        """Weights at any levels, float32 (B, E)."""
        values = interpolate_weights(
            self.levels[distortion], self.weights_VE[distortion], levels_B.numpy()
        )
        return torch.from_numpy(values).to(torch.float32)

    def of(self, cell: Cell) -> np.ndarray:
        """The weights (E,) of a cell of the grid."""
        if cell.distortion == CLEAN:
            return self.clean_E
        row = self.levels[cell.distortion].index(cell.level)
        weights_E: np.ndarray = self.weights_VE[cell.distortion][row]
        return weights_E

    @property
    def clean_E(self) -> np.ndarray:
        """The weights (E,) of clean images, which every distortion's first row holds."""
        first_E: np.ndarray = next(iter(self.weights_VE.values()))[0]
        return first_E


def prepare_images(bench: Workbench, index: ImageIndex) -> dict[str, ImageSet]:
    """Decode all images once, and divide them into train, val and test."""
    config = bench.plan.config

    def decode(directory: Path) -> None:
        decode_images(
            index,
            directory,
            size=config.data.size,
            interpolation=backbone_preprocessing(config.backbone).interpolation,
            workers=config.data.workers,
            on_error=config.data.on_error,
            fast_jpeg=config.data.fast_jpeg,
        )

    folder = bench.build("images", bench.plan.images_key, decode)
    images = open_images(folder, config.data.memory_budget_mb)

    def divide(directory: Path) -> None:
        write_splits(directory / "splits.csv", images, make_splits(images, config.split))

    folder = bench.build("split", bench.plan.split_key, divide)
    splits = read_splits(folder / "splits.csv", images)
    refuse_leaks(images, splits, config.data.on_leak, shown=bench.accelerator.is_main_process)
    return {name: ImageSet(images, indices) for name, indices in splits.items()}


def open_sets(bench: Workbench) -> dict[str, ImageSet]:
    """What `prepare_images` has prepared."""
    plan = bench.plan
    folder = bench.made("images", plan.images_key)
    images = open_images(folder, plan.config.data.memory_budget_mb)
    splits = read_splits(bench.made("split", plan.split_key) / "splits.csv", images)
    return {name: ImageSet(images, indices) for name, indices in splits.items()}


def train_network(bench: Workbench, sets: Mapping[str, ImageSet], name: str, seed: int) -> Fitted:
    """Train an expert or a baseline (Section 2), unless it is there; all processes take part."""
    plan = bench.plan
    baseline, first = plan.config.baselines.get(name), plan.config.first_of(name)
    continues = baseline.continues if baseline else None
    training = plan.config.training_of(name)
    classes = len(sets["train"].classes)

    def train(directory: Path) -> None:
        depth = training.stochastic_depth
        network = untrained_network(bench, classes, depth)
        if continues and bench.accelerator.is_main_process:
            _copy_state(network_folder(bench, continues, seed), directory)
        elif first:
            load_best(network, network_folder(bench, first, seed))
        elif not (directory / "state.safetensors").exists():
            head_seed = derive_seed(seed, "head")
            network = build_classifier(plan.config.backbone, classes, head_seed, depth)
        bench.accelerator.wait_for_everyone()
        fit(
            network,
            network.new_parameters(),
            classification_task(bench, sets, name, continues or name, training, seed),
            training,
            bench.accelerator,
            directory,
            max_steps=_expert_steps(bench, seed) if continues else None,
        )

    folder = bench.build_together("network", plan.network_key(name, seed), train)
    return fitted(folder)


def classification_task(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    title: str,
    network: str,
    training: TrainingConfig,
    seed: int,
) -> Task:
    """What an expert or a baseline is trained for: its images' classes, under its distortions."""
    plan, config = bench.plan, bench.plan.config
    fractions = (config.baselines.get(network) or config.experts[network]).distort
    return Task(
        title=f"{title} (seed {seed})",
        train=sets["train"],
        val=sets["val"],
        schedule=plan.schedule(fractions),
        distortions={kind: plan.distortions[kind] for kind in fractions},
        targets=lambda labels_B, _: labels_B,
        losses=lambda logits_BK, labels_B: nn.functional.cross_entropy(
            logits_BK, labels_B, reduction="none", label_smoothing=training.label_smoothing
        ),
        seed=derive_seed(seed, "fit", network),
        val_seed=derive_seed(seed, "val"),
        augmentation=Augmentation.of(training),
    )


def solve_weights(bench: Workbench, sets: Mapping[str, ImageSet], seed: int) -> OptimalWeights:
    """Eq. 4: the weights with the lowest cross-entropy on the validation images of each level."""
    plan = bench.plan
    experts = list(plan.config.experts)
    cube = sweep_split(bench, sets, "val", experts, seed)

    def make(directory: Path) -> None:
        def true_class(cells: list[Cell]) -> np.ndarray:
            chances = [
                cube.read(cell, experts, part)[:, np.arange(part.stop - part.start), labels_B]
                for cell in cells
                for part, labels_B in ((part, cube.labels_N[part]) for part in cube.parts)
            ]
            return np.concatenate(chances, axis=1).T

        clean = solve(true_class([CLEAN_CELL]))
        rows, gap = {}, float(clean.gap)
        for name, levels in plan.levels.items():
            # All levels of a distortion have as many images, and are solved at once.
            solution = solve(np.stack([true_class(cube.draws(name, v)) for v in levels[1:]]))
            rows[name] = np.concatenate([clean.weights[None], solution.weights]).tolist()
            gap = max(gap, float(solution.gap.max()))
        write_json(
            directory / "weights.json",
            {"experts": experts, "levels": plan.levels, "weights": rows, "largest_gap": gap},
        )

    bench.build("weights", plan.weights_key(seed), make)
    return load_weights(bench, seed)


def load_weights(bench: Workbench, seed: int) -> OptimalWeights:
    """The solved weights of the experts."""
    folder = bench.made("weights", bench.plan.weights_key(seed))
    table = read_json(folder / "weights.json")
    return OptimalWeights(
        bench.plan.levels,
        {name: np.array(rows) for name, rows in table["weights"].items()},
        table["largest_gap"],
    )


def train_gate(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    weights: OptimalWeights,
    key: str,
    seed: int,
    of: str = "the experts",
) -> dict[str, float | bool]:
    """Eq. 5: train the gate to predict the optimal weights of an image's distortion and level.

    `key` names the gate of these weights, and `of` whom they weigh. Returns its validation loss
    beside that of the best constant weights, which it has to beat.
    """
    plan, penalty = bench.plan, bench.plan.config.gate.penalty
    fractions = plan.gate_fractions
    names = list(fractions)

    def targets(_: Tensor, assignment: Assignment) -> Tensor:
        clean_E = torch.from_numpy(weights.clean_E).to(torch.float32)
        target_BE = clean_E.repeat(len(assignment.levels_B), 1)
        for index, name in enumerate(names):
            chosen_B = assignment.kinds_B == index
            target_BE[chosen_B] = weights.at(name, assignment.levels_B[chosen_B])
        return target_BE

    def losses(weights_BE: Tensor, target_BE: Tensor) -> Tensor:
        return ((weights_BE - target_BE) ** 2 + penalty * weights_BE**2).sum(1)

    task = Task(
        title=f"gate of {of} (seed {seed})",
        train=sets["train"],
        val=sets["val"],
        schedule=plan.schedule(fractions),
        distortions={name: plan.distortions[name] for name in names},
        targets=targets,
        losses=losses,
        seed=derive_seed(seed, "fit", "gate"),
        val_seed=derive_seed(seed, "val"),
        augmentation=Augmentation.of(plan.config.gate),
    )

    def train(directory: Path) -> None:
        gate = untrained_gate(bench, seed)
        fit(gate, [], task, plan.config.gate, bench.accelerator, directory)

    folder = bench.build_together("gate", key, train)
    loss = fitted(folder).val_loss
    target_NE = targets(torch.empty(0), validation_assignment(task))
    constant_1E = target_NE.mean(0, keepdim=True) / (1 + penalty)
    constant_loss = losses(constant_1E.expand_as(target_NE), target_NE).mean().item()
    return {
        "val_loss": loss,
        "constant_loss": constant_loss,
        "beats_constant": loss < constant_loss,
    }


def _copy_state(source: Path, directory: Path) -> None:
    """Start from where another training stopped, unless this one has gone on already."""
    target = directory / "state.safetensors"
    if not target.exists():
        temporary = target.with_suffix(".tmp")
        shutil.copyfile(source / target.name, temporary)
        os.replace(temporary, target)


def _expert_steps(bench: Workbench, seed: int) -> int:
    return sum(
        fitted(network_folder(bench, name, seed)).steps for name in bench.plan.config.experts
    )
