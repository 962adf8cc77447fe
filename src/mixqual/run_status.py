"""How far a run on a cluster is: `status.json`, kept up to date by the process that leads it."""

import fcntl
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Literal, final

from mixqual.artifacts import read_json, write_json
from mixqual.errors import RunError

_FILE = "status.json"

State = Literal["left", "running", "again", "done", "failed", "blocked"]
"""Of a stage. "again" waits for another try; "blocked" needs one that failed."""


@final
@dataclass
class StageStatus:
    """What became of a stage so far."""

    title: str
    kind: str
    """Stages of one kind take about as long."""
    state: State = "left"
    seconds: float | None = None
    """From when it was handed to the cluster to its end; None where it was made before."""
    tries: int = 0
    reason: str = ""
    """Of the last failure."""


@final
@dataclass(frozen=True)
class Status:
    """How far a run is."""

    stages: tuple[StageStatus, ...]
    led: bool
    """Whether a process is at work on it; what runs without one is lost."""

    def count(self, *states: State) -> int:
        """How many stages are in these states."""
        return sum(stage.state in states for stage in self.stages)

    @property
    def seconds_left(self) -> float | None:
        """A guess, from what stages took and how many run at once; None before the first is done.

        A kind of which none is done yet counts as the mean of the others.
        """
        took: dict[str, list[float]] = {}
        for stage in self.stages:
            if stage.seconds is not None and stage.state == "done":
                took.setdefault(stage.kind, []).append(stage.seconds)
        if not took:
            return None
        means = {kind: mean(seconds) for kind, seconds in took.items()}
        usual = mean(means.values())
        waiting = Counter(s.kind for s in self.stages if s.state in ("left", "running", "again"))
        work = sum(count * means.get(kind, usual) for kind, count in waiting.items())
        return work / max(self.count("running"), 1)


def write_status(run: Path, stages: Sequence[StageStatus]) -> None:
    """Write how far a run is into its folder."""
    write_json(run / _FILE, {"stages": [asdict(stage) for stage in stages]})


def read_status(run: Path) -> Status:
    """Read how far a run is, also while it runs elsewhere; raises `RunError` if it is unknown."""
    if not (run / _FILE).exists():
        raise RunError(
            f"{run} has no {_FILE}: only a run with --executor ray keeps one; `mixqual run STUDY "
            f"--out {run} --dry-run` lists what is done and what is left"
        )
    table = read_json(run / _FILE)
    try:
        stages = tuple(StageStatus(**stage) for stage in table["stages"])
    except (KeyError, TypeError) as error:
        raise RunError(f"{run / _FILE} is damaged ({error}); run the study again") from None
    return Status(stages, _is_held(run / ".lock"))


def _is_held(lock: Path) -> bool:
    """Whether another process has the lock of a run's folder."""
    try:
        handle = lock.open("r")
    except OSError:
        return False
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
