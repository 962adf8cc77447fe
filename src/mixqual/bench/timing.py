"""Timing two things against each other: in turn, so that a drifting machine meets both."""

import time
from collections.abc import Callable
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
    run(), other()
    ratios = [_seconds(run) / _seconds(other) for _ in range(repetitions)]
    return Ratio(what, against, median(ratios), min(ratios), max(ratios), repetitions, settings)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
