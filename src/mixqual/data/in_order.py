"""A function applied to many things by threads, with bounded memory and outcomes in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mixqual.images import Unreadable

Job = TypeVar("Job")
Result = TypeVar("Result")

IN_FLIGHT = 4
"""Jobs per thread that are worked on, or wait to be taken."""


def in_order(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int,
    known: Callable[[Job], Result | None] = lambda _: None,
) -> Iterator[tuple[Job, Result | Unreadable]]:
    """Yield each job with its outcome, in order; never more than `workers` * `IN_FLIGHT` ahead.

    An `Unreadable` that the function raises is an outcome. What `known` returns, called in the
    caller's thread, is taken without asking a thread.
    """

    def outcome(job: Job) -> Result | Unreadable:
        try:
            return function(job)
        except Unreadable as error:
            return error

    pending: deque[tuple[Job, Result | Unreadable | Future[Result | Unreadable]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            for job in jobs:
                found = known(job)
                pending.append((job, pool.submit(outcome, job) if found is None else found))
                if len(pending) >= workers * IN_FLIGHT:
                    yield _finished(*pending.popleft())
            while pending:
                yield _finished(*pending.popleft())
        finally:
            for _, each in pending:
                if isinstance(each, Future):
                    each.cancel()


def _finished(
    job: Job, outcome: Result | Unreadable | Future[Result | Unreadable]
) -> tuple[Job, Result | Unreadable]:
    return job, outcome.result() if isinstance(outcome, Future) else outcome
