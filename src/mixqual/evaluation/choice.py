"""Which of several models to take: the best for their cost, and of these the cheapest in doubt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import MixqualError

Array = NDArray[np.float64]
Interval = Callable[[Array], tuple[float, float]]
"""From a number a training and image to the interval of their mean."""


@final
@dataclass(frozen=True)
class Candidate:
    """A model with what it costs, and how good it is on the images by which is chosen."""

    name: str
    macs: float
    params: float
    areas_SN: Array
    """The part of each image in the AUC of each training, for S trainings and N images."""

    @property
    def auc(self) -> float:
        """Their mean."""
        return float(self.areas_SN.mean())


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those to which no other is preferable, the cheapest first, of equal cost the better first.

    One is preferable if its AUC is as high, its MACs and its parameters are as low, and one of the
    three is better. Equal ones are all on the front.
    """
    facts_X3 = np.array([(-each.auc, each.macs, each.params) for each in candidates]).reshape(-1, 3)
    # X are the candidates: [i, j] is whether j is as good as i, and whether it is better.
    as_good_XX = np.all(facts_X3[None] <= facts_X3[:, None], axis=2)
    better_XX = np.any(facts_X3[None] < facts_X3[:, None], axis=2)
    beaten_X: NDArray[np.bool_] = np.any(as_good_XX & better_XX, axis=1)
    front = [candidates[place] for place in np.flatnonzero(~beaten_X).tolist()]
    return sorted(front, key=lambda each: (each.macs, each.params, -each.auc))


def beats(better: Candidate, other: Candidate, interval: Interval) -> bool:
    """Whether the AUC of the first is higher, by more than the interval of their difference."""
    return interval(better.areas_SN - other.areas_SN)[0] > 0


def choose_candidate(candidates: Sequence[Candidate], interval: Interval) -> Candidate:
    """The cheapest on the front (by MACs, then parameters) that no other on the front beats.

    Raises `MixqualError` if there are no candidates.
    """
    front = pareto_front(candidates)
    for each in front:
        if not any(beats(other, each, interval) for other in front):
            return each
    # The one with the highest AUC is beaten by none, so nothing else leads here.
    raise MixqualError("there is no model to choose from")
