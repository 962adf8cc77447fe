"""A study on many workers: an executor makes its artifacts side by side, as far as they can be."""

import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import final

from mixqual.artifacts import write_atomically
from mixqual.errors import RunError
from mixqual.executor import Executor
from mixqual.layout import Table, to_markdown
from mixqual.perform import describe_run, perform
from mixqual.progress import Advance, progress
from mixqual.run_status import StageStatus, State, write_status
from mixqual.stage_graph import Stage, artifacts_of, study_stages, work_of
from mixqual.workbench import Workbench

# Seconds between two writings of the status, so that thousands of short stages cost little.
_WRITE_EVERY = 1.0
_MISSING = "missing.md"


def fan_out(
    executor: Executor, bench: Workbench, sets: Mapping[str, Sized], earlier: Sequence[Path] = ()
) -> None:
    """Make all artifacts of a study by an executor, from images that are decoded and split.

    What fails does not stop what can do without it. Raises `RunError` that says what is missing and
    why, once nothing more can be made.
    """
    if bench.accelerator.num_processes > 1:
        raise RunError("an executor brings its own processes; start the run without accelerate")
    stages = study_stages(bench.plan, bench.plan.config.runtime.cluster.cells)
    if bench.mirror:  # of which workers see no more than what is there
        for name in artifacts_of(stages):
            bench.publish(name)
    left = [stage for stage in stages if not bench.is_made(stage)]
    title, total = f"stages of {bench.plan.config.name}", len(stages)
    sizes = {name: len(images) for name, images in sets.items()}
    work = {stage.makes: work_of(stage, bench.plan, sizes) for stage in stages}
    with progress(title, total, "stages", total - len(left)) as advance:
        journal = Journal(bench.store.root.parent, stages, left, work, advance)
        try:
            executor.run(left, partial(perform, describe_run(bench, tuple(earlier))), journal)
        finally:
            journal.close()
    journal.refuse_failures()


@final
class Journal:
    """What becomes of the stages of a run, kept in its folder and told by a line of progress."""

    def __init__(
        self,
        run: Path,
        stages: Sequence[Stage],
        left: Sequence[Stage],
        work: Mapping[str, float],
        advance: Advance,
    ) -> None:
        """Of `stages` those that are not `left` are done; `work` is by what a stage makes."""
        self._run, self._stages, self._advance = run, stages, advance
        waiting = {stage.makes for stage in left}
        self._status = {
            stage.makes: StageStatus(
                stage.title,
                stage.kind,
                "left" if stage.makes in waiting else "done",
                work=work[stage.makes],
            )
            for stage in stages
        }
        self._written, self._stale = time.monotonic(), False
        write_status(run, list(self._status.values()))

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        """As `Watch` says."""
        status = self._status[stage.makes]
        status.state, status.reason = state, reason or status.reason
        if state == "running":
            status.started = time.time()
            status.tries += 1
        elif status.started is not None:  # a worker may die before its stage begins
            status.seconds = round(time.time() - status.started, 3)
        if state == "done":
            self._advance(1, stage.title)
        elif state in ("again", "failed"):
            self._advance(0, f"{stage.title}: {reason}")
        self._stale = True
        self.tick()

    def tick(self) -> None:
        """As `Watch` says: what was noted right after a writing is written, too."""
        if self._stale and time.monotonic() - self._written > _WRITE_EVERY:
            write_status(self._run, list(self._status.values()))
            self._stale = False
            self._written = time.monotonic()  # after it, as a slow disk must not be all that we do

    def close(self) -> None:
        """Write the last of it: what runs no more is left, what needs a failed stage is blocked.

        These two kinds, with reasons, are also `missing.md` in the run's folder, if there are any.
        """
        lost: dict[str, str] = {}
        for stage in self._stages:  # in an order in which needs come first
            status = self._status[stage.makes]
            if status.state in ("running", "again"):
                status.state = "left"
            needs = [lost[need] for need in stage.needs if need in lost]
            if status.state == "left" and needs:
                status.state, status.reason = "blocked", f"needs: {', '.join(needs)}"
            if status.state in ("failed", "blocked"):
                lost[stage.makes] = stage.title
        write_status(self._run, list(self._status.values()))
        if lost:
            write_atomically(self._run / _MISSING, to_markdown(self._missing(lost)))
        else:
            (self._run / _MISSING).unlink(missing_ok=True)

    def _missing(self, lost: Iterable[str]) -> Table:
        found = [self._status[makes] for makes in lost]
        rows = tuple((stage.title, stage.state, stage.reason) for stage in found)
        header = ("stage", "state", "reason")
        return Table(
            f"What {self._run.name} lacks: {len(rows)} of {len(self._stages)} stages",
            header,
            rows,
            ("left", "left", "left"),
            header,
            rows,
        )

    def refuse_failures(self) -> None:
        """Raise `RunError` if a stage failed: which and why, and how many others need it."""
        every = self._status.values()
        failed = [status for status in every if status.state == "failed"]
        if not failed:
            return
        blocked = sum(status.state == "blocked" for status in every)
        reasons = "; ".join(f"{status.title}: {status.reason}" for status in failed)
        raise RunError(
            f"{self._run}: {len(failed) + blocked} of {len(every)} stages are missing ({_MISSING} "
            f"lists them). {reasons}."
            + (f" {blocked} others need what failed." if blocked else "")
            + " All else is done and kept; run the same command again to go on"
        )
