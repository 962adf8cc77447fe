"""What a run says is to be shipped: chosen on validation images, measured on test images.

The average AUC, over the distortions that are not held out, of every model that knows of an image
what a deployed one knows stands against its multiply-accumulates (MACs) and its parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import (
    Bootstrap,
    Candidate,
    Correct,
    Cube,
    Interval,
    Scored,
    choose_candidate,
    interval_over_trainings,
    intervals,
    pareto_front,
)
from mixqual.fusion import right_answers
from mixqual.plan import Plan
from mixqual.results.names import AVERAGE, CONDITIONAL
from mixqual.results.shipping import shipping_reason
from mixqual.thresholds import TAUS, Swept, cell_weights
from mixqual.tree_results import Shared

RULE = (
    "Candidates are the models that can be exported. Those are on the front to which no other is "
    "preferable, with as high an average AUC, as few multiply-accumulates and as few parameters, "
    "and one of these better. Of the front the cheapest is shipped, by multiply-accumulates and "
    "then parameters, that no other beats: whose average AUC no other exceeds by more than the "
    "95 % interval of the difference, over images, and over trainings if there are several. All "
    "of this goes by the validation images; test images have no part in it."
)
NOT_EXPORTED = ("avg", "max", "hardmix")
"""Models that no file holds: they can be on the front, but not be shipped."""
_DIGITS = 6


@final
@dataclass(frozen=True)
class Rated:
    """A model with what it costs, and how good it is on validation and on test images."""

    name: str
    """"mix" in the conditional mode is called `CONDITIONAL`."""
    macs: float
    params: float
    val_SN: NDArray[np.float64]
    """The part of each validation image in the average AUC of each training."""
    test_SN: NDArray[np.float64]

    @property
    def exported(self) -> bool:
        """Whether a file can hold it."""
        return self.name not in NOT_EXPORTED


def rate(
    plan: Plan,
    validated: Mapping[int, Cube],
    shared: Mapping[int, Shared],
    scores: Mapping[int, Correct],
    cost: Mapping[str, Mapping[str, float]],
) -> list[Rated]:
    """All models of a run but ceilings and the conditional mode, from both of its sweeps.

    `scores` are of the test images, `cost` is from `costs`; the others have the answers of
    networks and trees on validation images, training by training.
    """
    tested = Scored(plan.test_cells, plan.levels, scores, plan.held_out)
    experts = list(plan.config.experts)
    baselines = [name for name in plan.networks if name in plan.config.baselines]
    levels = {name: grid for name, grid in plan.levels.items() if name not in plan.held_out}
    weights_V = cell_weights(plan.val_cells, levels)
    areas: dict[str, list[NDArray[np.float64]]] = {}
    for seed, cube in validated.items():
        right = right_answers(cube, experts, baselines)
        right |= {model: said.right_VN() for model, said in shared[seed].validated.items()}
        for model, right_VN in right.items():
            areas.setdefault(model, []).append(weights_V @ right_VN)
    return [
        Rated(
            model,
            cost[model]["macs"],
            cost[model]["params"],
            np.stack(areas_N),
            tested.contributions(model, AVERAGE),
        )
        for model, areas_N in areas.items()
    ]


def rate_conditional(
    swept: Mapping[int, Mapping[str, Swept]],
    tau: float,
    cost: Mapping[str, Mapping[str, float]],
) -> Rated:
    """M_mix in its conditional mode, at a threshold that validation images chose.

    `swept` is from `sweep_thresholds`, training by training. The MACs are a mean over the
    validation images.
    """
    place = TAUS.index(tau)
    experts = np.mean([found["val"].experts_T[place] for found in swept.values()])
    gate = cost["mix"]["macs"] - cost["avg"]["macs"]
    return Rated(
        CONDITIONAL,
        gate + float(experts) * cost["avg"]["macs"] / cost["avg"]["experts_run"],
        cost["mix"]["params"],
        *(
            np.stack([found[split].right_TN[place] for found in swept.values()])
            for split in ("val", "test")
        ),
    )


def recommend(rated: Sequence[Rated], val: Bootstrap, test: Bootstrap) -> dict[str, Any]:
    """The `recommendation` of results; the bootstraps are of the images of the two splits."""
    over_val = _interval(val)
    candidates = {
        each.name: Candidate(each.name, each.macs, each.params, each.val_SN) for each in rated
    }
    by_name = {each.name: each for each in rated}
    exported = [candidates[each.name] for each in rated if each.exported]
    ship = by_name[choose_candidate(exported, over_val).name]
    found = {
        **_shipped_as(ship.name),
        "rule": RULE,
        "front": [
            _row(by_name[each.name], test) for each in pareto_front(list(candidates.values()))
        ],
    }
    rival = _rival(ship, [each for each in rated if each.exported])
    if rival:
        found["against"] = _against(ship, rival, test, over_val)
    return found | {"reason": shipping_reason(found)}


def _interval(bootstrap: Bootstrap) -> Interval:
    """Over images, and over trainings if there are several."""

    def interval(areas_SN: NDArray[np.float64]) -> tuple[float, float]:
        if len(areas_SN) > 1:
            return interval_over_trainings(areas_SN)
        return bootstrap.interval(areas_SN[0])

    return interval


def _shipped_as(name: str) -> dict[str, Any]:
    if name == CONDITIONAL:
        return {"ship": "mix", "mode": CONDITIONAL}
    return {"ship": name, "mode": "full"}


def _row(rated: Rated, bootstrap: Bootstrap) -> dict[str, Any]:
    return {
        "model": rated.name,
        "exported": rated.exported,
        "macs": round(rated.macs),
        "params": round(rated.params),
        "val_auc": round(float(rated.val_SN.mean()), _DIGITS),
        "auc": round(float(rated.test_SN.mean()), _DIGITS),
        **intervals(rated.test_SN, bootstrap),
    }


def _rival(ship: Rated, exported: Sequence[Rated]) -> Rated | None:
    """Whom the choice has to be justified against: the best of the cheaper ones on validation.

    If there is none, it is the best of the dearer ones, or else of those that cost the same.
    """
    others = [each for each in exported if each.name != ship.name]
    cheaper = [each for each in others if _cost(each) < _cost(ship)]
    dearer = [each for each in others if _cost(each) > _cost(ship)]
    return max(cheaper or dearer or others, key=lambda e: float(e.val_SN.mean()), default=None)


def _cost(rated: Rated) -> tuple[float, float]:
    return rated.macs, rated.params


def _against(ship: Rated, rival: Rated, bootstrap: Bootstrap, over_val: Interval) -> dict[str, Any]:
    """The dearer of two models minus the cheaper."""
    # Of equal cost the rival is taken for the dearer.
    cheap, dear = sorted([ship, rival], key=_cost)
    delta_SN, val_SN = dear.test_SN - cheap.test_SN, dear.val_SN - cheap.val_SN
    return {
        "model": rival.name,
        "dearer": dear.name,
        "cheaper": cheap.name,
        "macs_ratio": round(dear.macs / cheap.macs, _DIGITS),
        "params_ratio": round(dear.params / cheap.params, _DIGITS),
        "delta": round(float(delta_SN.mean()), _DIGITS),
        **intervals(delta_SN, bootstrap),
        "val_delta": round(float(val_SN.mean()), _DIGITS),
        "val_ci95": [round(end, _DIGITS) for end in over_val(val_SN)],
    }
