"""Leave one distortion out: a mixture on a distortion that none of its experts has seen."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixqual import stages
from mixqual.data import ImageSet
from mixqual.evaluation import (
    Bootstrap,
    Correct,
    Cube,
    Scored,
    accuracy_tables,
    comparisons,
    level_rows,
)
from mixqual.fusion import score
from mixqual.plan import Plan
from mixqual.results.names import CLEAN, UNSEEN
from mixqual.split_sweep import sweep_split
from mixqual.workbench import Workbench


def leave_one_out(
    bench: Workbench, sets: Mapping[str, ImageSet], seed: int
) -> dict[str, NDArray[np.bool_]]:
    """For each distortion, which test images the mixture that never saw it gets right.

    Returns arrays (cell, image) over the cells of that distortion, the clean one first. Networks
    and their outputs are those of the whole study; the weights and the gate are solved anew.
    """
    right = {}
    for name, plan in bench.plan.without_each.items():
        part = replace(bench, plan=plan)
        weights = stages.solve_weights(part, sets, seed)
        of = f"the experts without {name}"
        stages.train_gate(part, sets, weights, plan.gate_key(seed), seed, of=of)
        experts = list(plan.config.experts)
        cube = sweep_split(part, sets, "test", [*experts, "gate"], seed)
        if bench.accelerator.is_main_process:
            cells = [c for c in cube.cells if c.distortion in (CLEAN, name)]
            own = Cube(cube.arrays, cells, cube.labels_N)
            right[name] = score(own, experts, [], {c: weights.of(c) for c in cells}).right["mix"]
    return right


def unseen_rows(
    plan: Plan,
    by_seed: Mapping[int, Mapping[str, NDArray[np.bool_]]],
    scores: Mapping[int, Correct],
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """One row a distortion: the mixture that never saw it beside M_mix and the clean expert.

    `by_seed` is from `leave_one_out`, `scores` of the whole study on all its test cells.
    """
    others = [*([plan.start] if plan.start else []), "mix"]
    rows = []
    for name, part in plan.without_each.items():
        levels = plan.levels[name]
        places = level_rows(plan.test_cells, name, levels)
        right = {
            seed: {model: scores[seed][model][places] for model in others} | {UNSEEN: unseen[name]}
            for seed, unseen in by_seed.items()
        }
        scored = Scored([plan.test_cells[place] for place in places], {name: levels}, right)
        tables = accuracy_tables(scored, bootstrap)
        rows.append(
            {
                "distortion": name,
                "experts": list(part.config.experts),
                "auc": {model: tables["auc"][model][name] for model in scored.models},
                "accuracy": {model: tables["accuracy"][model][name] for model in scored.models},
                "comparisons": [
                    {key: row[key] for key in ("a", "b", "delta", "ci95")}
                    for row in comparisons(scored, bootstrap)
                    if row["distortion"] == name
                ],
            }
        )
    return rows
