"""Batches: none too large, none too late, every item its own answer, and nobody waits in vain."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.service.batching import Batcher

T = TypeVar("T")


def double(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def ran(
    test: Callable[[Batcher[int, int]], Coroutine[None, None, T]],
    run: Callable[[Sequence[int]], Sequence[int]] = double,
    max_batch: int = 4,
    max_wait_s: float = 0.005,
) -> T:
    """Run a test with a batcher at work."""

    async def main() -> T:
        with ThreadPoolExecutor(1) as worker:
            batcher = Batcher(run, worker, max_batch=max_batch, max_wait_s=max_wait_s)
            working = asyncio.create_task(batcher.work())
            try:
                return await test(batcher)
            finally:
                working.cancel()

    return asyncio.run(main())


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 7))
def test_every_item_gets_its_answer_in_batches_within_the_limit(
    pauses: list[int], max_batch: int
) -> None:
    batches: list[list[int]] = []

    def run(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        return double(numbers)

    async def test(batcher: Batcher[int, int]) -> list[int]:
        async def later(number: int, pause: int) -> int:
            for _ in range(pause):
                await asyncio.sleep(0)
            return await batcher.submit(number)

        return await asyncio.gather(*(later(n, pause) for n, pause in enumerate(pauses)))

    assert ran(test, run, max_batch, 0.001) == [2 * n for n in range(len(pauses))]
    assert all(0 < len(batch) <= max_batch for batch in batches)
    assert sorted(number for batch in batches for number in batch) == list(range(len(pauses)))


def test_a_full_batch_does_not_wait_and_another_waits_its_time() -> None:
    async def test(batcher: Batcher[int, int]) -> tuple[float, float]:
        start = time.monotonic()
        await asyncio.gather(*map(batcher.submit, range(4)))
        full = time.monotonic() - start
        start = time.monotonic()
        await batcher.submit(5)
        return full, time.monotonic() - start

    full, alone = ran(test, max_wait_s=0.8)
    assert full < 0.4
    assert 0.8 <= alone < 2


def test_those_who_come_while_a_batch_runs_are_the_next() -> None:
    go = threading.Event()
    batches: list[list[int]] = []

    def run(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        assert go.wait(10)
        return double(numbers)

    async def test(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.submit(0))
        while not batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3)]
        await asyncio.sleep(0.05)
        assert batcher.waiting == 3
        go.set()
        await asyncio.gather(first, *others)

    ran(test, run)
    assert batches == [[0], [1, 2, 3]]


def test_whoever_is_cancelled_leaves_the_queue_and_the_others_stay() -> None:
    batches: list[list[int]] = []

    def run(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        return double(numbers)

    async def test(batcher: Batcher[int, int]) -> None:
        tasks = [asyncio.create_task(batcher.submit(n)) for n in range(3)]
        await asyncio.sleep(0)
        assert batcher.waiting == 3
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 2
        assert await asyncio.gather(tasks[0], tasks[2]) == [0, 4]
        alone = asyncio.create_task(batcher.submit(9))
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 0
        assert await batcher.submit(5) == 10

    ran(test, run, max_wait_s=0.05)
    assert batches == [[0, 2], [5]]


def test_a_batch_that_fails_fails_its_own_items_alone() -> None:
    def run(numbers: Sequence[int]) -> list[int]:
        return [12 // number for number in numbers]

    async def test(batcher: Batcher[int, int]) -> None:
        found = await asyncio.gather(*map(batcher.submit, (3, 0, 4)), return_exceptions=True)
        assert [type(each) for each in found] == [ZeroDivisionError] * 3
        assert await batcher.submit(6) == 2

    ran(test, run)


def test_what_a_batch_took_is_known() -> None:
    async def test(batcher: Batcher[int, int]) -> float:
        await batcher.submit(1)
        await asyncio.sleep(0.01)
        return batcher.batch_seconds

    def run(numbers: Sequence[int]) -> list[int]:
        time.sleep(0.1)
        return double(numbers)

    assert ran(test, run) == pytest.approx(0.1, abs=0.09)
