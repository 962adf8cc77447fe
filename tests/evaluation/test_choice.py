from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.errors import MixqualError
from mixqual.evaluation import Bootstrap, interval_over_trainings
from mixqual.evaluation.choice import Candidate, choose_candidate, pareto_front


def candidate(name: str, auc: float, macs: float, params: float = 1.0) -> Candidate:
    return Candidate(name, macs, params, np.full((1, 4), auc))


def tight(areas_SN: np.ndarray) -> tuple[float, float]:
    return float(areas_SN.mean()) - 0.01, float(areas_SN.mean()) + 0.01


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [each.name for each in candidates]


small = st.integers(0, 4)
several = st.lists(st.tuples(small, small, small), min_size=1, max_size=12)


@settings(deadline=None, max_examples=200)
@given(facts=several)
def test_the_front_is_that_of_looking_at_every_pair(facts: list[tuple[int, int, int]]) -> None:
    made = [candidate(str(n), a / 4, m, p) for n, (a, m, p) in enumerate(facts)]
    expected = set()
    for one, (a, m, p) in enumerate(facts):
        preferable = [
            (b >= a and n <= m and q <= p) and (b > a or n < m or q < p) for b, n, q in facts
        ]
        if not any(preferable):
            expected.add(str(one))
    front = pareto_front(made)
    assert set(names(front)) == expected
    costs = [(each.macs, each.params) for each in front]
    assert costs == sorted(costs)


@settings(deadline=None, max_examples=200)
@given(facts=several)
def test_the_chosen_one_is_the_cheapest_that_none_on_the_front_beats(
    facts: list[tuple[int, int, int]],
) -> None:
    made = [candidate(str(n), a / 4, m, p) for n, (a, m, p) in enumerate(facts)]
    chosen = choose_candidate(made, tight)
    front = pareto_front(made)
    best = max(each.auc for each in front)
    # Steps are 0.25, far more than the interval: the best is chosen, and the cheapest of the best.
    assert chosen.auc == best
    assert (chosen.macs, chosen.params) == min(
        (each.macs, each.params) for each in front if each.auc == best
    )


def test_a_dearer_one_has_to_be_better_by_more_than_the_interval() -> None:
    one, mix = candidate("all", 0.8, 1.0), candidate("mix", 0.809, 3.5)
    assert choose_candidate([mix, one], tight).name == "all"
    better = candidate("mix", 0.811, 3.5)
    assert choose_candidate([better, one], tight).name == "mix"
    # What is off the front takes part in nothing: it costs more than "mix" and is worse.
    off = candidate("tree", 0.81, 4.0)
    assert names(pareto_front([off, better, one])) == ["all", "mix"]


def test_without_a_candidate_nothing_is_chosen() -> None:
    assert pareto_front([]) == []
    with pytest.raises(MixqualError, match="no model to choose from"):
        choose_candidate([], tight)


@pytest.mark.parametrize("trainings", [1, 5])
def test_a_lead_that_is_luck_costs_nothing(trainings: int) -> None:
    """Two models that are equally good: the dearer one is chosen in some 2.5 % of studies."""
    dearer = 0
    for seed in range(300):
        right_MSN = np.random.default_rng(seed).random((2, trainings, 100)) < 0.7
        cheap, dear = (Candidate(str(n), n, 1, right_MSN[n].astype(float)) for n in range(2))
        bootstrap = Bootstrap.draw(100, 200, seed)
        interval = (
            interval_over_trainings
            if trainings > 1
            else lambda areas_SN, over=bootstrap: over.interval(areas_SN.mean(0))
        )
        dearer += choose_candidate([cheap, dear], interval) is dear
    assert dearer <= 17  # 7.5 expected; P(more than 17) is 0.0006
