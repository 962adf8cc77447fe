"""What runs the stages of a graph, and in which order they can run."""

import bisect
import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, final

from mixqual.run_status import State
from mixqual.stage_graph import Stage

Perform = Callable[[Stage], None]
"""Makes what a stage makes, in any process: it has to be picklable."""


class Watch(Protocol):
    """Is told what becomes of each stage."""

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        """`state` is "running", "done", "failed", or "again" after a failure that may pass."""

    def tick(self) -> None:
        """Is called about once a second while stages run elsewhere, whatever becomes of them."""


class Executor(Protocol):
    """Runs stages, each after those that it needs."""

    def run(self, stages: Sequence[Stage], perform: Perform, watch: Watch) -> None:
        """Perform all stages that can be performed.

        A stage that fails for good is noted so, with the reason, and those that do not need it run
        all the same.
        """


@final
class Frontier:
    """Which stages can start: those whose needs are met, the earliest of the graph first."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """What a stage needs and the graph has not is taken as made."""
        self._stages = stages
        made_by = {stage.makes: place for place, stage in enumerate(stages)}
        self._waits_for = [0] * len(stages)
        self._needed_by: list[list[int]] = [[] for _ in stages]
        for place, stage in enumerate(stages):
            for need in stage.needs:
                if need in made_by:
                    self._waits_for[place] += 1
                    self._needed_by[made_by[need]].append(place)
        self._made_by = made_by
        self._ready: list[int] = []
        self._families: defaultdict[object, list[int]] = defaultdict(list)
        self._startable: set[int] = set()
        for place, count in enumerate(self._waits_for):
            if not count:
                self._let_start(place)

    def __len__(self) -> int:
        """How many stages can start."""
        return len(self._startable)

    def take(self) -> Stage | None:
        """The next stage to start, if one can."""
        taken = self.take_family(1)
        return taken[0] if taken else None

    def take_family(self, most: int) -> tuple[Stage, ...]:
        """The next stage to start, if one can, and more of its family that also can."""
        if not self._startable:
            return ()
        while (first := heapq.heappop(self._ready)) not in self._startable:
            pass  # it was taken with its family
        family = self._stages[first].family
        places = [first]
        if family is not None:
            alike = self._families.pop(family)
            alike.remove(first)
            places += alike[: most - 1]
            if left := alike[most - 1 :]:
                self._families[family] = left
        self._startable -= set(places)
        return tuple(self._stages[place] for place in places)

    def done(self, stage: Stage) -> None:
        """Let those start that waited for this stage alone."""
        for place in self._needed_by[self._made_by[stage.makes]]:
            self._waits_for[place] -= 1
            if not self._waits_for[place]:
                self._let_start(place)

    def _let_start(self, place: int) -> None:
        self._startable.add(place)
        heapq.heappush(self._ready, place)
        family = self._stages[place].family
        if family is not None:
            bisect.insort(self._families[family], place)


@final
class InOrder:
    """One stage after the other, in this process."""

    def run(self, stages: Sequence[Stage], perform: Perform, watch: Watch) -> None:
        """Perform all stages; a failure is the caller's at once."""
        frontier = Frontier(stages)
        while (stage := frontier.take()) is not None:
            watch.note(stage, "running")
            perform(stage)
            frontier.done(stage)
            watch.note(stage, "done")
