"""What it costs to hand a stage to a Ray cluster, by stages that do nothing."""

import time
from typing import final

from mixqual.bench.peak_memory import watched
from mixqual.bench.timing import Ratio
from mixqual.config import ClusterConfig
from mixqual.executor import Executor, InOrder
from mixqual.ray_executor import RayExecutor
from mixqual.run_status import State
from mixqual.stage_graph import Stage

_FEW, _MORE = 1000, 10
_WIDTH = 50  # stages that need nothing of each other: about the GPUs of a large cluster
_BOUND = 0.020  # seconds a stage


def measure() -> list[Ratio]:
    """A new cluster on this machine; what it takes to start is not counted."""
    ray, count = RayExecutor(ClusterConfig()), _MORE * _FEW
    (_, few), (each, many) = _run(ray, _FEW), _run(ray, count)
    here, _ = _run(InOrder(), count)
    settings = (
        f"{count} stages that do nothing, {_WIDTH} of which can run at once; {1e3 * each:.2f} ms a "
        "stage, from the end of the first to that of the last"
    )
    memory = f"{count} and {_FEW} stages; {many / 2**20:.1f} MiB and {few / 2**20:.1f} MiB"
    what = "a stage on a Ray cluster of this machine"
    return [
        _once(what, f"bound: {1e3 * _BOUND:.0f} ms", each / _BOUND, settings),
        _once(what, "in order in this process", each / here, settings),
        _once("peak growth of the leader's memory", "for fewer stages", many / few, memory),
    ]


def _run(executor: Executor, count: int) -> tuple[float, int]:
    """Seconds a stage, and the peak of private memory above that at the start, in bytes."""
    stages = [
        Stage(str(n), str(n), "nothing", (), (str(n - _WIDTH),) if n >= _WIDTH else ())
        for n in range(count)
    ]
    ends = _Ends()
    _, _, peak = watched(lambda: executor.run(stages, _nothing, ends))
    return (ends.times[-1] - ends.times[0]) / (count - 1), peak


def _nothing(stage: Stage) -> None:
    """Do a stage that does nothing."""


@final
class _Ends:
    """When stages ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        if state == "done":
            self.times.append(time.perf_counter())

    def tick(self) -> None:
        """Nothing has become of a stage."""


def _once(what: str, against: str, ratio: float, settings: str) -> Ratio:
    return Ratio(what, against, ratio, ratio, ratio, 1, settings)
