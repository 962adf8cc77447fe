"""Timing two things against each other: in turn, so that a drifting machine meets both."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import final


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
    calls = [*runs.items(), *others.items()]
    for _, call in calls:
        call()
    rounds = [{name: _seconds(call) for name, call in calls} for _ in range(repetitions)]
    found = []
    for what in runs:
        for against in others:
            ratios = [seconds[what] / seconds[against] for seconds in rounds]
            low, high = min(ratios), max(ratios)
            found.append(Ratio(what, against, median(ratios), low, high, repetitions, settings))
    return found


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
