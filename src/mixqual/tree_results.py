"""What a study knows of its trees, and what `results.json` says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from mixqual.evaluation import Correct, Predicted
from mixqual.results.names import level_key
from mixqual.stages import OptimalWeights
from mixqual.tree_plan import Tree


@final
@dataclass(frozen=True)
class Shared:
    """The trees of one seed."""

    training: Mapping[str, Any]
    """How the training of each branch and control ended."""
    weights: Mapping[str, OptimalWeights]
    """Tree to the weights it is mixed with."""
    gates: Mapping[str, Any]
    """Tree to the losses of its gate, where it has one of its own."""
    tested: Mapping[str, Predicted]
    """What trees, their ceilings and their controls say of the test images."""
    validated: Mapping[str, Predicted]
    """What trees and their controls say of the validation images."""

    @property
    def right(self) -> Correct:
        """Which test images trees, their ceilings and their controls get right."""
        return {model: predicted.right_VN() for model, predicted in self.tested.items()}


def tree_rows(trees: Sequence[Tree], by_seed: Mapping[int, Shared]) -> list[dict[str, Any]]:
    """One row a tree: its stages, the names of its models, and weights of its own."""
    rows = []
    for tree in trees:
        row: dict[str, Any] = {
            "model": tree.name,
            "kind": tree.sharing.kind,
            "until": tree.sharing.until,
            "from": tree.sharing.from_,
            "control": tree.control,
            "ceiling": tree.ceiling,
            "weights": tree.config.weights,
        }
        if tree.config.weights == "resolve":
            row["gate"] = [{"seed": s, **shared.gates[tree.name]} for s, shared in by_seed.items()]
            resolved = [shared.weights[tree.name] for shared in by_seed.values()]
            row["resolved"] = _mean_weights(tree, resolved)
        rows.append(row)
    return rows


def _mean_weights(tree: Tree, by_seed: Sequence[OptimalWeights]) -> dict[str, Any]:
    experts = list(tree.plan.config.experts)
    return {
        name: {
            level_key(level): dict(zip(experts, np.round(mean_E, 6).tolist(), strict=True))
            for level, mean_E in zip(
                levels, np.mean([w.weights_VE[name] for w in by_seed], axis=0), strict=True
            )
        }
        for name, levels in tree.plan.levels.items()
    }
