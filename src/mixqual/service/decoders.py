"""Images decoded in processes that can be ended, so that none holds up the others.

Each has a budget of the processor's time and of memory. Costly images never have all processes to
themselves: the first one takes only what is soon done.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from typing import NamedTuple, final

import numpy as np

from mixqual.errors import DataError, ServiceError
from mixqual.images.decoder_process import REPLY_BYTES, Order, Outcome, reply_of
from mixqual.service.images import Pixels
from mixqual.service.refusals import Refusal

_MODULE = "mixqual.images.decoder_process"
_SOON_DONE = 2**24
"""Pixels of an ordinary file, some tenths of a second."""
_NO_LIMIT = 2**62
_NICE = 3  # of processes that take costly images, for the sake of all else
_SHARE = 0.75  # of a request's time, for decoding
_START_S = 60.0
_AGAIN_S = 1.0
# Nothing else: what decodes files from anywhere must not know the service's secrets.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")


class _Waiting(NamedTuple):
    content: bytes
    order: Order
    costly: bool
    since: float


@final
class Decoders:
    """Processes that decode images, the oldest first; for the thread of the event loop."""

    def __init__(self, count: int, max_pixels: int, seconds: float, *, timeout_s: float) -> None:
        """An image has `seconds` of the processor's time, and `timeout_s` on a busy machine.

        Of costly images as many may wait as would be done in half of that; more are refused.
        """
        self._timeout_s = timeout_s
        self._most_costly = max(1, int(timeout_s / seconds / 2))
        self._count, self._max_pixels, self._seconds = count, max_pixels, seconds
        self._waiting: dict[asyncio.Future[tuple[Outcome, bytes]], _Waiting] = {}
        self._arrived = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._tried = asyncio.Event()
        self.failing = False
        """Whether a process could not be started when it was last tried."""

    @property
    def longest_wait(self) -> float:
        """Seconds since the oldest image came that waits for a process, costly ones aside."""
        now = time.monotonic()
        return now - next((each.since for each in self._waiting.values() if not each.costly), now)

    async def start(self) -> None:
        """Start all processes; returns when there is one, or raises `ServiceError`."""
        self._tasks = [
            asyncio.create_task(
                self._work(costly=number > 0 or self._count == 1, niceness=_NICE * (number > 0))
            )
            for number in range(self._count)
        ]
        await self._tried.wait()
        if self.failing:
            raise ServiceError(f"the process that decodes images does not start ({_MODULE})")

    async def stop(self) -> None:
        """End all processes, whatever they are at."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def decode(
        self, content: bytes, size: int, interpolation: str
    ) -> Pixels | DataError | Refusal:
        """The pixels (size, size, 3) of an image file, or why there are none.

        A `DataError` is the file's own fault; with a `Refusal` a limit was reached.
        """
        again = {"Retry-After": str(math.ceil(self._seconds))}
        try:
            async with asyncio.timeout(_SHARE * self._timeout_s):
                outcome, data = await self._decoded(content, size, interpolation, _SOON_DONE)
                if outcome is Outcome.COSTLY:
                    if sum(each.costly for each in self._waiting.values()) >= self._most_costly:
                        text = "too many large images are waiting; try again later"
                        return Refusal(429, text, again)
                    outcome, data = await self._decoded(content, size, interpolation, _NO_LIMIT)
        except TimeoutError:
            return Refusal(503, "too busy to decode it; try again later", again)
        if outcome is Outcome.PIXELS:
            return np.frombuffer(data, np.uint8).reshape(size, size, 3)
        text = data.decode("utf-8", "replace")
        if outcome is Outcome.UNREADABLE:
            return DataError(text)
        return Refusal(413 if outcome is Outcome.TOO_LARGE else 422, text)

    async def _decoded(
        self, content: bytes, size: int, interpolation: str, most_cost: int
    ) -> tuple[Outcome, bytes]:
        order = Order(size, interpolation, self._max_pixels, most_cost, self._seconds)
        answer = await self._submit(content, order)
        if answer[0] is Outcome.LOST:  # once: it need not have been this image's fault
            answer = await self._submit(content, order)
        return answer

    async def _submit(self, content: bytes, order: Order) -> tuple[Outcome, bytes]:
        future: asyncio.Future[tuple[Outcome, bytes]] = asyncio.get_running_loop().create_future()
        costly = order.most_cost > _SOON_DONE
        self._waiting[future] = _Waiting(content, order, costly, time.monotonic())
        try:
            async with self._arrived:
                self._arrived.notify_all()
            return await future
        finally:
            self._waiting.pop(future, None)

    async def _work(self, *, costly: bool, niceness: int) -> None:
        """Have a process decode one image after the other, and another one if it ends."""
        while True:
            process = await self._started(niceness)
            try:
                while True:
                    future, waiting = await self._next(costly=costly)
                    if not process.alive:  # which is not this image's fault
                        self._waiting = {future: waiting, **self._waiting}
                        break
                    answer = await process.ask(waiting.content, waiting.order, self._timeout_s)
                    if not future.done():
                        future.set_result(answer)
                    del future, waiting, answer  # not kept until the next one comes
                    if not process.alive:
                        break
            finally:
                await process.end()

    async def _next(
        self, *, costly: bool
    ) -> tuple["asyncio.Future[tuple[Outcome, bytes]]", _Waiting]:
        """The image that has waited longest, of those that this process may take."""
        async with self._arrived:
            while True:
                for future, waiting in self._waiting.items():
                    if costly or not waiting.costly:
                        return future, self._waiting.pop(future)
                await self._arrived.wait()

    async def _started(self, niceness: int) -> "_Process":
        while True:
            try:
                process = await _Process.started(niceness)
            except (OSError, EOFError, TimeoutError):  # no files or memory left, for now
                self.failing = True
                self._tried.set()
                await asyncio.sleep(_AGAIN_S)
            else:
                self.failing = False
                self._tried.set()
                return process


@final
class _Process:
    """One process, and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None

    @classmethod
    async def started(cls, niceness: int) -> "_Process":
        """Start one; raises `OSError`, `EOFError` or `TimeoutError` if that does not work."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        process = cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                _MODULE,
                str(niceness),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl+C is for the service
                env={
                    **environment,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "OPENBLAS_NUM_THREADS": "1",
                    "MALLOC_MMAP_THRESHOLD_": str(2**20),  # an image's memory goes with it
                },
            )
        )
        try:
            async with asyncio.timeout(_START_S):
                await process._reply()
        except BaseException:
            await process.end()
            raise
        return process

    async def ask(self, content: bytes, order: Order, timeout_s: float) -> tuple[Outcome, bytes]:
        """Have an image decoded; if the process ends over it, what was too much."""
        try:
            async with asyncio.timeout(timeout_s):
                self._in.write(order.packed(len(content)))
                self._in.write(content)
                await self._in.drain()
                return await self._reply()
        except TimeoutError:
            too_long = True
        except (OSError, EOFError):
            too_long = False
        number = await self.end()
        if too_long or number == -signal.SIGPROF:
            return Outcome.ENDED, f"takes more than {order.seconds:g} seconds to decode".encode()
        return Outcome.LOST, b"cannot be decoded within its budget"

    async def end(self) -> int:
        """Kill the process if it is still there; the status that it ended with."""
        # Not `kill` of the process: it would take the status that is waited for.
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._in.close()
        return await self._process.wait()

    async def _reply(self) -> tuple[Outcome, bytes]:
        outcome, length = reply_of(await self._out.readexactly(REPLY_BYTES))
        return outcome, await self._out.readexactly(length)
