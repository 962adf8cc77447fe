"""The order in which stages can run, for graphs that Hypothesis makes up."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixqual.executor import Frontier, InOrder
from mixqual.run_status import State
from mixqual.stage_graph import Stage


def stage(number: int, *needs: int) -> Stage:
    return Stage(str(number), f"stage {number}", "any", (), tuple(map(str, needs)))


@st.composite
def graphs(draw: st.DrawFn) -> list[Stage]:
    """Stages that need some of those before them."""
    count = draw(st.integers(0, 12))
    earlier = [st.sets(st.integers(0, n - 1)) if n else st.just(set[int]()) for n in range(count)]
    return [stage(number, *draw(needs)) for number, needs in enumerate(earlier)]


class Heard:
    """Remembers what it is told of stages."""

    def __init__(self) -> None:
        self.told: list[tuple[str, State]] = []

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        self.told.append((stage.makes, state))

    def tick(self) -> None:
        pass


@given(graphs(), st.randoms(use_true_random=False), st.sets(st.integers(0, 11)))
def test_every_stage_runs_once_after_its_needs_unless_one_failed(
    stages: list[Stage], chance: random.Random, failing: set[int]
) -> None:
    frontier, taken, running = Frontier(stages), list[Stage](), list[Stage]()
    done: set[str] = set()
    while True:
        while (found := frontier.take()) is not None:
            assert set(found.needs) <= done
            taken.append(found)
            running.append(found)
        if not running:
            break
        ended = running.pop(chance.randrange(len(running)))
        if int(ended.makes) not in failing:
            done.add(ended.makes)
            frontier.done(ended)
    lost: set[str] = set()
    for each in stages:
        if int(each.makes) in failing or lost & set(each.needs):
            lost.add(each.makes)
    able = [each for each in stages if not lost & set(each.needs)]
    assert sorted(taken, key=lambda each: int(each.makes)) == able


def test_stages_that_can_start_are_taken_in_the_order_of_the_graph() -> None:
    frontier = Frontier([stage(0), stage(1, 0), stage(2), stage(3)])
    first, second = frontier.take(), frontier.take()
    assert (first, second) == (stage(0), stage(2))
    frontier.done(stage(0))
    assert [frontier.take() for _ in range(3)] == [stage(1, 0), stage(3), None]


def sweep(number: int, cells: int, *needs: int) -> Stage:
    arguments = ("val", 0, cells, cells, f"network {number}")
    title = f"sweep of val by network {number}, cells {cells} to {cells} (seed 0)"
    return Stage(f"{number}:{cells}", title, "sweep", arguments, tuple(map(str, needs)))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), unique=True, max_size=12),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
)
def test_a_family_is_taken_together_as_far_as_is_wished(
    pairs: list[tuple[int, int]], wishes: list[int]
) -> None:
    stages = [sweep(*pair) for pair in pairs]
    frontier, left = Frontier(stages), list(stages)
    for most in wishes:
        assert len(frontier) == len(left)
        taken = frontier.take_family(most)
        alike = [each for each in left if each.family == left[0].family] if left else []
        assert taken == tuple(alike[:most])
        left = [each for each in left if each not in taken]
    assert (frontier.take() is None) == (not left)


def test_who_waits_joins_its_family_later() -> None:
    stages = [stage(7), sweep(1, 0), sweep(2, 0, 7), stage(8), stage(9)]
    frontier = Frontier(stages)
    assert frontier.take_family(9) == (stages[0],)
    frontier.done(stages[0])
    assert frontier.take_family(9) == (stages[1], stages[2])
    # Stages that are no sweep have no family.
    assert [frontier.take_family(9) for _ in range(3)] == [(stage(8),), (stage(9),), ()]


def test_what_the_graph_lacks_is_taken_as_made() -> None:
    assert Frontier([stage(7, 1, 2)]).take() == stage(7, 1, 2)


@given(graphs())
def test_one_after_the_other_keeps_the_order_of_the_graph(stages: list[Stage]) -> None:
    performed: list[Stage] = []
    heard = Heard()
    InOrder().run(stages, performed.append, heard)
    assert performed == stages
    both: tuple[State, State] = ("running", "done")
    assert heard.told == [(each.makes, state) for each in stages for state in both]


def test_one_after_the_other_stops_at_a_failure() -> None:
    performed: list[str] = []

    def perform(each: Stage) -> None:
        performed.append(each.makes)
        if each.makes == "1":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        InOrder().run([stage(0), stage(1), stage(2)], perform, Heard())
    assert performed == ["0", "1"]
