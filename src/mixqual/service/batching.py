"""Items that arrive one by one, worked on in batches by one thread.

A batch starts when it is full, or when its oldest item has waited long enough. While it runs, the
next one gathers. How many items may wait is up to who submits them (see `room.py`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import Generic, NamedTuple, TypeVar, final

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Item]):
    item: Item
    since: float


@final
class Batcher(Generic[Item, Answer]):
    """A queue, and the task that empties it: `run` maps items to answers, on `worker`'s thread."""

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Answer]],
        worker: Executor,
        *,
        max_batch: int,
        max_wait_s: float,
    ) -> None:
        self._run = run
        self._worker = worker
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._waiting: dict[asyncio.Future[Answer], _Waiting[Item]] = {}
        self._arrived = asyncio.Event()
        self.batch_seconds = 0.0
        """What the last batch took."""

    @property
    def waiting(self) -> int:
        """Items that no batch has taken yet."""
        return len(self._waiting)

    @property
    def longest_wait(self) -> float:
        """Seconds since the oldest item that no batch has taken yet came."""
        oldest = next(iter(self._waiting.values()), None)
        return time.monotonic() - oldest.since if oldest else 0.0

    async def submit(self, item: Item) -> Answer:
        """Answer one item, or raise what `run` raised; if cancelled, the item leaves the queue."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[future] = _Waiting(item, time.monotonic())
        self._arrived.set()
        try:
            return await future
        finally:
            self._waiting.pop(future, None)

    async def work(self) -> None:
        """Work on batches until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._gather()
            batch = {future: self._waiting.pop(future) for future in self._oldest()}
            if not batch:  # all have left
                continue
            started = time.monotonic()
            items = [waiting.item for waiting in batch.values()]
            try:
                answers = await loop.run_in_executor(self._worker, self._run, items)
            except Exception as error:
                for future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future, answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
            self.batch_seconds = time.monotonic() - started

    def _oldest(self) -> list[asyncio.Future[Answer]]:
        return list(islice(self._waiting, self._max_batch))

    async def _gather(self) -> None:
        """Wait for a full batch, or for as long as the oldest item may wait."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        until = next(iter(self._waiting.values())).since + self._max_wait_s
        while 0 < len(self._waiting) < self._max_batch:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                return
