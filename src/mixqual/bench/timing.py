"""Timing two things against each other: in turn, so that a drifting machine meets both."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

Round = Mapping[str, float]
"""The seconds of one repetition, by what was timed."""


@final
@dataclass(frozen=True)
class Ratio:
    """How long one thing takes against another: below one is faster."""

    what: str
    against: str
    ratio: float
    """Median over the repetitions of time / other time, pair by pair."""
    low: float
    high: float
    """The smallest and largest of these ratios."""
    repetitions: int
    settings: str
    curve: tuple[tuple[float, float], ...] = ()
    """Where the ratio comes from more than two times: how much there was to do, and the seconds."""


def compare(
    what: str,
    run: Callable[[], object],
    against: str,
    other: Callable[[], object],
    *,
    settings: str,
    repetitions: int = 7,
) -> Ratio:
    """Time `run` and `other` alternately, after one call of each to warm up."""
    found = compare_all({what: run}, {against: other}, settings=settings, repetitions=repetitions)
    return found[0]


def compare_all(
    runs: Mapping[str, Callable[[], object]],
    others: Mapping[str, Callable[[], object]],
    *,
    settings: str,
    repetitions: int,
) -> list[Ratio]:
    """Each of `runs` against each of `others`, all timed in turn, after one call to warm up."""
    rounds = time_in_turn({**runs, **others}, repetitions)
    return [ratio_of(rounds, what, against, settings) for what in runs for against in others]


def time_in_turn(calls: Mapping[str, Callable[[], object]], repetitions: int) -> list[Round]:
    """The seconds of every call in each repetition, after one call of each to warm up."""
    for call in calls.values():
        call()
    return [{name: _seconds(call) for name, call in calls.items()} for _ in range(repetitions)]


def ratio_of(rounds: Sequence[Round], what: str, against: str, settings: str) -> Ratio:
    """The ratio of two columns of the rounds, round by round."""
    ratios = [seconds[what] / seconds[against] for seconds in rounds]
    return Ratio(what, against, median(ratios), min(ratios), max(ratios), len(rounds), settings)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
