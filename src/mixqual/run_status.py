"""How far a run on a cluster is: `status.json`, kept up to date by the process that leads it."""

import fcntl
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, final

from mixqual.artifacts import read_json, write_json
from mixqual.errors import RunError

_FILE = "status.json"

State = Literal["left", "running", "again", "done", "failed", "blocked"]
"""Of a stage. "left" also waits for room on the cluster, "again" for another try; "blocked" needs
one that failed."""


@final
@dataclass
class StageStatus:
    """What became of a stage so far."""

    title: str
    kind: str
    """Stages of one kind take about as long for the same work."""
    state: State = "left"
    seconds: float | None = None
    """From its begin to its end; None where it was made before."""
    tries: int = 0
    reason: str = ""
    """Of the last failure."""
    work: float = 1.0
    """How much there is to do, in a unit that the stages of a run share."""
    started: float | None = None
    """When it last began, in seconds since 1970."""


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

    def seconds_left(self, now: float) -> float | None:
        """A guess, from what work took and how many stages run at once; None before one is done.

        A kind of which none is done yet takes as long for its work as all that is done. `now` is in
        seconds since 1970.
        """
        timed = [s for s in self.stages if s.state == "done" and s.seconds is not None and s.work]
        if not timed:
            return None
        usual = _seconds_a_unit(timed)
        pace = {s.kind: _seconds_a_unit([t for t in timed if t.kind == s.kind]) for s in timed}
        left = 0.0
        for stage in self.stages:
            seconds = stage.work * pace.get(stage.kind, usual)
            if stage.state in ("left", "again"):
                left += seconds
            elif stage.state == "running":
                left += max(seconds - (now - (stage.started or now)), 0.0)
        return left / max(self.count("running"), 1)


def _seconds_a_unit(timed: Sequence[StageStatus]) -> float:
    return sum(s.seconds or 0.0 for s in timed) / sum(s.work for s in timed)


def write_status(run: Path, stages: Sequence[StageStatus]) -> None:
    """Write how far a run is into its folder."""
    write_json(run / _FILE, {"stages": [asdict(stage) for stage in stages]})


def read_status(run: Path) -> Status:
    """Read how far a run is, also while it runs elsewhere; raises `RunError` if it is unknown."""
    if not (run / _FILE).exists():
        if _is_held(run / ".lock"):
            raise RunError(
                f"{run} has no {_FILE} yet: a run with --executor ray writes it once its images "
                "are decoded, and any other shows its progress itself"
            )
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
