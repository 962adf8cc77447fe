"""Eq. 4 solved anew for a tree: the weights that are best for what its own branches give."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mixqual.artifacts import read_json, write_json
from mixqual.data import ImageSet
from mixqual.errors import StudyError
from mixqual.evaluation import Cell, distorted_batches, draw_seed
from mixqual.fusion import minimise_on_simplex, solve
from mixqual.networks import Mixture
from mixqual.progress import progress
from mixqual.results.names import CLEAN
from mixqual.seeding import derive_seed
from mixqual.stages import OptimalWeights
from mixqual.tree_plan import Tree
from mixqual.trees import load_tree
from mixqual.workbench import Workbench


def resolve_weights(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    tree: Tree,
    experts_weights: OptimalWeights,
    seed: int,
) -> OptimalWeights:
    """The weights of a tree with the lowest cross-entropy on the validation images of each level.

    The search also starts from `experts_weights`, those of the independent experts. Raises
    `StudyError` if the features of one level do not fit into `data.memory_budget_mb`.
    """
    plan, images = bench.plan, sets["val"]

    groups: dict[tuple[str, float], list[Cell]] = {}
    for cell in plan.val_cells:  # the draws of a level together
        groups.setdefault((cell.distortion, cell.level), []).append(cell)

    def make(directory: Path) -> None:
        mixture = load_tree(bench, len(images.classes), tree, seed, nn.Identity())
        solved: dict[tuple[str, float], list[float]] = {}
        with progress(f"weights of {tree.name} (seed {seed})", len(groups), "levels", 0) as advance:
            for (name, level), cells in groups.items():
                path = directory / f"{name}_{level:g}.json"  # kept if the run is interrupted
                if not path.exists():
                    start_E = experts_weights.of(cells[0])
                    write_json(path, _solve_level(bench, images, mixture, cells, start_E, seed))
                solved[name, level] = read_json(path)
                advance(1, f"{name} {level:g}")
        clean = [solved[CLEAN, 0.0]]
        rows = {
            name: clean + [solved[name, level] for level in levels[1:]]
            for name, levels in plan.levels.items()
        }
        write_json(directory / "weights.json", {"levels": plan.levels, "weights": rows})

    folder = bench.build("tree-weights", tree.weights_key(seed), make)
    table = read_json(folder / "weights.json")
    weights_VE = {name: np.array(rows) for name, rows in table["weights"].items()}
    return OptimalWeights(plan.levels, weights_VE, 0.0)


def _solve_level(
    bench: Workbench,
    images: ImageSet,
    mixture: Mixture,
    cells: list[Cell],
    start_E: np.ndarray,
    seed: int,
) -> list[float]:
    """The weights of one level, from all draws of it together."""
    outputs_EN = _branch_outputs(bench, images, mixture, cells, seed)
    labels_N = images.labels_N.repeat(len(cells))
    if mixture.suffix is None:
        chances_NE = outputs_EN[:, torch.arange(len(labels_N)), labels_N].T.double()
        weights: list[float] = solve(chances_NE.numpy()).weights.tolist()
        return weights
    mixture.suffix.requires_grad_(False)
    size, device = bench.plan.config.evaluation.batch_size, bench.machine.device

    def value_and_gradient(weights_E: np.ndarray) -> tuple[float, np.ndarray]:
        w_E = torch.tensor(weights_E, dtype=torch.float32, device=device, requires_grad=True)
        total = 0.0
        for outputs_EB, labels_B in zip(
            torch.split(outputs_EN, size, dim=1), torch.split(labels_N, size), strict=True
        ):
            w_BE = w_E.expand(len(labels_B), -1)
            p_BK = mixture.fuse(outputs_EB.to(device), w_BE)
            true_B = p_BK[torch.arange(len(labels_B)), labels_B.to(device)]
            loss = -true_B.clamp_min(torch.finfo(true_B.dtype).tiny).log().sum() / len(labels_N)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        assert w_E.grad is not None
        return total, w_E.grad.double().cpu().numpy()

    return [float(w) for w in minimise_on_simplex(value_and_gradient, [start_E])[0]]


def _branch_outputs(
    bench: Workbench, images: ImageSet, mixture: Mixture, cells: list[Cell], seed: int
) -> Tensor:
    """What every branch gives for all images in all cells, (E, N, ...), on the CPU."""
    count, parts = len(images) * len(cells), []
    with torch.inference_mode():
        for cell in cells:
            for distorted_BCHW in distorted_batches(
                images,
                slice(0, len(images)),
                cell,
                bench.plan.distortions,
                seed=draw_seed(derive_seed(seed, "sweep", "val"), cell),
                batch_size=bench.plan.config.evaluation.batch_size,
                device=bench.machine.device,
            ):
                parts.append(mixture.branch_outputs(distorted_BCHW).cpu())
                _check_memory(bench, parts[0], count)
    # Copies made outside of inference mode can take part in autograd.
    return torch.cat(parts, dim=1).clone()


def _check_memory(bench: Workbench, part_EB: Tensor, images: int) -> None:
    needed = part_EB[:, :1].numel() * part_EB.element_size() * images / 2**20
    budget = bench.plan.config.data.memory_budget_mb
    if needed > budget:
        raise StudyError(
            f'sharing.weights = "resolve": the features of one level take {needed:.0f} MiB, more '
            f"than data.memory_budget_mb = {budget}; raise it, lower evaluation.noise_draws, or "
            "share from a later stage"
        )
