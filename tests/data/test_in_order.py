import threading
import time

import pytest

from mixqual.data.in_order import IN_FLIGHT, in_order
from mixqual.images import Unreadable


def test_work_does_not_run_ahead_of_its_taking() -> None:
    started: list[int] = []
    for taken, (job, outcome) in enumerate(in_order(started.append, range(120), 2)):
        assert len(started) <= taken + 2 * IN_FLIGHT
        assert (job, outcome) == (taken, None)
    assert len(started) == 120


@pytest.mark.parametrize("workers", [1, 7])
def test_outcomes_keep_their_order(workers: int) -> None:
    def slow_by_turns(job: int) -> int:
        time.sleep(0.002 * (job % 3 == 0))
        return job * job

    assert list(in_order(slow_by_turns, range(50), workers)) == [(n, n * n) for n in range(50)]


def test_what_is_known_is_taken_in_its_place() -> None:
    asked: list[int] = []

    def ask(job: int) -> str:
        asked.append(job)
        return "asked"

    found = in_order(ask, range(40), 3, lambda job: "known" if job % 4 else None)
    assert [outcome for _, outcome in found] == ["known" if n % 4 else "asked" for n in range(40)]
    assert sorted(asked) == list(range(0, 40, 4))


def test_unreadable_is_an_outcome_and_other_errors_end_it() -> None:
    def fail(job: int) -> int:
        if job == 3:
            raise ValueError("a bug")
        raise Unreadable(f"number {job}")

    seen: list[str] = []

    def take_all() -> None:
        seen.extend(str(outcome) for _, outcome in in_order(fail, range(10), 2))

    with pytest.raises(ValueError, match="a bug"):
        take_all()
    assert seen == ["number 0", "number 1", "number 2"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
