"""Stages side by side on a Ray cluster. Nothing else in the package knows Ray."""

import heapq
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, current_thread, main_thread
from typing import Any, final

from mixqual.config import ClusterConfig
from mixqual.errors import MixqualError, RunError
from mixqual.executor import Frontier, Perform, Watch
from mixqual.stage_graph import Stage, joined

try:
    import ray
except ImportError:
    raise RunError(
        'the executor "ray" needs Ray, which the cluster extra brings: pip install '
        '"mixqual[cluster]"'
    ) from None

# Short stages handed over beyond those that there is room for, so that no worker has to wait.
_AHEAD = 4
_SHORT = 1.0  # seconds; a longer one waits here, where others of its family may still join it
# Seconds between looks at what the cluster has room for: nodes come and go.
_LOOK_EVERY = 5.0
_LONGEST_PAUSE = 60.0


@final
@dataclass(frozen=True)
class RayExecutor:
    """Each stage is a Ray task with the resources that a study states in [runtime.cluster]."""

    resources: ClusterConfig
    address: str | None = None
    """Of the cluster, such as "auto" or "HOST:6379"; a new one on this machine without."""

    def run(self, stages: Sequence[Stage], perform: Perform, watch: Watch) -> None:
        """Perform all stages that can be performed, as `Executor` says.

        A stage whose worker or node dies, or that fails for a reason that is no mistake of the
        user's, is tried again up to `resources.retries` times, after a pause that doubles. Raises
        `RunError` if the cluster cannot be reached or has no node that is large enough.
        """

        def call(stage: Stage) -> Iterator[None]:
            yield  # tells that it has begun: until then it waits for room
            perform(stage)

        def lead(up: Event, stop: Event) -> None:
            with _connected(self.address):
                up.set()
                _check_room(self.resources)
                task = ray.remote(
                    num_cpus=self.resources.cpus,
                    num_gpus=self.resources.gpus,
                    memory=self.resources.memory_mb * 2**20,
                    max_retries=0,  # retries are counted here, whatever the reason
                    num_returns="streaming",
                )(call)
                _Running(self.resources, task, Frontier(stages), watch).to_the_end(stop)

        _off_the_main_thread(lead)


@final
class _Running:
    """The stages handed over. Memory grows with those, not with all that are done."""

    def __init__(
        self, resources: ClusterConfig, task: Any, frontier: Frontier, watch: Watch
    ) -> None:
        self._resources = resources
        self._task = task
        self._frontier = frontier
        self._watch = watch
        self._stages: dict[Any, tuple[Stage, ...]] = {}
        self._begun: dict[Any, float] = {}
        self._ahead = 0
        self._again: list[tuple[float, str, Stage]] = []
        self._failures: dict[str, int] = {}
        self._slots, self._looked = 0, float("-inf")

    def to_the_end(self, stop: Event) -> None:
        while not stop.is_set() and (self._start() or self._stages or self._again):
            if not self._stages:
                time.sleep(0.05)  # until the pause before another try is over
                continue
            streams = list(self._stages)
            heard, others = ray.wait(streams, timeout=1.0)
            if heard and others:
                more, _ = ray.wait(others, num_returns=len(others), timeout=0)
                heard = [*heard, *more]
            for stream in heard:
                self._hear(stream)
            self._watch.tick()

    def _start(self) -> bool:
        """Hand over as many stages as there is room for; returns whether there was one."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._slots, self._looked = _slots(self._resources), time.monotonic()
        started = False
        while len(self._stages) < self._slots + self._ahead and (stages := self._next()):
            stage = joined(stages)
            self._stages[self._task.options(name=stage.title).remote(stage)] = stages
            started = True
        return started

    def _next(self) -> tuple[Stage, ...]:
        """The next to start; those of a family together, if all workers have enough to do."""
        if self._again and self._again[0][0] <= time.monotonic():
            return (heapq.heappop(self._again)[2],)
        return self._frontier.take_family(max(len(self._frontier) // max(self._slots, 1), 1))

    def _hear(self, stream: Any) -> None:
        """Stages have begun, or ended: their stream has one item, and ends with them."""
        stages = self._stages[stream]
        try:
            ray.get(next(stream))
        except StopIteration:
            self._forget(stream)
            for stage in stages:
                self._failures.pop(stage.makes, None)
                self._frontier.done(stage)
                self._watch.note(stage, "done")
        except ray.exceptions.RayError as error:
            self._forget(stream)
            cause = getattr(error, "cause", None) or error
            if len(stages) == 1:
                self._fail(stages[0], cause)
            else:
                self._part(stages, cause)
        else:
            self._begun[stream] = time.monotonic()
            for stage in stages:
                self._watch.note(stage, "running")

    def _forget(self, stream: Any) -> None:
        del self._stages[stream]
        begun = self._begun.pop(stream, float("-inf"))
        self._ahead = _AHEAD if time.monotonic() - begun < _SHORT else 0

    def _part(self, stages: Sequence[Stage], cause: BaseException) -> None:
        """Stages that failed together are tried one by one: only one may be at fault."""
        for stage in stages:
            self._watch.note(stage, "again", _reason(cause))
            heapq.heappush(self._again, (time.monotonic(), stage.makes, stage))

    def _fail(self, stage: Stage, cause: BaseException) -> None:
        failures = self._failures[stage.makes] = self._failures.get(stage.makes, 0) + 1
        reason = _reason(cause)
        if isinstance(cause, MixqualError) or failures > self._resources.retries:
            tries = f" (tried {failures} times)" if failures > 1 else ""
            self._watch.note(stage, "failed", reason + tries)
            return
        self._watch.note(stage, "again", reason)
        pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE)
        heapq.heappush(self._again, (time.monotonic() + pause, stage.makes, stage))


def _off_the_main_thread(lead: Callable[[Event, Event], None]) -> None:
    """Call what sets an event once Ray is up, and ends when another is set: by an interrupt.

    On the main thread Ray would take SIGTERM for itself, and an interrupt while it begins would
    leave it half begun, to crash when the process ends.
    """
    up, stop = Event(), Event()
    with ThreadPoolExecutor(1, thread_name_prefix="ray") as pool:
        led = pool.submit(lead, up, stop)
        led.add_done_callback(lambda _: up.set())
        try:
            up.wait()
            # From the last moments before it is up, Ray has SIGTERM dump the stack and abort.
            if current_thread() is main_thread() and (own := signal.getsignal(signal.SIGTERM)):
                signal.signal(signal.SIGTERM, own)
            led.result()
        except KeyboardInterrupt:
            signal.alarm(0)  # three seconds after a SIGTERM of those moments it would abort
            raise
        finally:
            stop.set()


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        _reach(address)
        ray.init(
            address=address or "local",  # without, Ray joins what it finds, even a dead cluster
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "can be started on this machine"
        raise RunError(f"no Ray cluster {where}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raise `OSError` at once if nobody listens: Ray itself would wait for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        with socket.create_connection((host, int(port)), timeout=10):
            pass


def _slots(resources: ClusterConfig) -> int:
    """How many stages the cluster has room for at once."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(_fit(node["Resources"], resources) for node in nodes if node["Alive"])


def _fit(node: dict[str, float], resources: ClusterConfig) -> int:
    wanted = {
        "CPU": resources.cpus,
        "GPU": resources.gpus,
        "memory": resources.memory_mb * 2**20,
    }
    return int(min(node.get(name, 0) // each for name, each in wanted.items() if each))


def _check_room(resources: ClusterConfig) -> None:
    if not _slots(resources):
        raise RunError(
            f"no node of the Ray cluster has the {resources.cpus} CPUs, {resources.gpus:g} GPUs "
            f"and {resources.memory_mb} MiB that runtime.cluster asks for; ask for less"
        )


def _reason(cause: BaseException) -> str:
    """One line that names what happened."""
    if isinstance(cause, MixqualError):
        return str(cause)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    # The first sentence; Ray goes on with advice about its dashboard.
    return f"{type(cause).__name__}: {lines[0].partition('. ')[0] if lines else 'no message'}"
