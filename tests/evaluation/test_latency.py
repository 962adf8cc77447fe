"""Models of known times, on a clock that a machine's drift moves."""

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mixqual.evaluation import Latency, time_in_turn
from mixqual.evaluation.latency import beside

CPU = torch.device("cpu")


class Sleeper:
    """Takes a known time, and much longer at its first call."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.shapes: list[torch.Size] = []

    def __call__(self, images_BCHW: Tensor) -> None:
        self.shapes.append(images_BCHW.shape)
        time.sleep(self.seconds if len(self.shapes) > 1 else 0.1)


@pytest.mark.parametrize("batch", [1, 4])
def test_it_is_the_time_of_one_image_once_warm(batch: int) -> None:
    sleeper = Sleeper(0.01)
    latency = Latency.of(time_in_turn({"one": sleeper}, 8, CPU, batch)["one"])
    assert 10 / batch <= latency.low <= latency.median <= latency.high
    assert latency.median < 50 / batch
    assert set(sleeper.shapes) == {torch.Size((batch, 3, 8, 8))}


class Drifting:
    """A machine that takes a tenth more for its work with each call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.pace = 0.0, 1.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def work(self, amount: float) -> None:
        self.now += amount * self.pace
        self.pace *= 1.1


def test_drift_does_not_make_more_work_the_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timed one after the other, what comes last would seem to take three times as long."""
    machine = Drifting(monkeypatch)
    models = {"more": lambda _: machine.work(1.3), "less": lambda _: machine.work(1.0)}
    rounds = time_in_turn(models, 8, CPU)
    found = {name: Latency.of(times).median for name, times in rounds.items()}
    assert found["more"] > found["less"]
    ratios = [more / less for more, less in zip(rounds["more"], rounds["less"], strict=True)]
    # A tenth of drift between the two of a round, one way and the other.
    assert min(ratios) == pytest.approx(1.3 / 1.1)
    assert max(ratios) == pytest.approx(1.3 * 1.1)


def test_a_model_beside_a_known_one_has_its_ratio_whatever_the_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Latency(4.0, 3.9, 4.1)
    rounds = {"tree": [2.0, 30.0, 4.0], "one": [1.0, 15.0, 2.0]}
    assert beside(rounds, "tree", "one", known) == Latency(8.0, 8.0, 8.0)


@given(st.lists(st.floats(0.001, 1000), min_size=4, max_size=30))
def test_half_of_the_rounds_are_in_the_range(times: list[float]) -> None:
    found = Latency.of(times)
    assert found.low <= found.median <= found.high
    assert 2 * sum(found.low <= each <= found.high for each in times) >= len(times)
