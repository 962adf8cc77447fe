"""How long a model takes for images: several models in turn, so that a drifting machine meets all.

Timed one after another, what is timed last may seem slower, or faster, than what is part of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

import torch
from torch import Tensor

_ROUNDS = 11

Rounds = Mapping[str, Sequence[float]]
"""The milliseconds an image of each model, one for each round."""


@final
@dataclass(frozen=True)
class Latency:
    """Milliseconds an image: the median of some rounds, and the range of their middle half."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(times: Sequence[float]) -> "Latency":
        """Of the times of several rounds."""
        ordered, quarter = sorted(times), len(times) // 4
        return Latency(median(ordered), ordered[quarter], ordered[-1 - quarter])

    def fields(self) -> dict[str, float]:
        """As results have it: `latency_ms`, `latency_ms_low`, `latency_ms_high`."""
        names = ("latency_ms", "latency_ms_low", "latency_ms_high")
        values = (self.median, self.low, self.high)
        return {name: round(value, 3) for name, value in zip(names, values, strict=True)}


def time_in_turn(
    models: Mapping[str, Callable[[Tensor], object]],
    size: int,
    device: torch.device,
    batch: int = 1,
) -> Rounds:
    """Time every model on `size` x `size` images in each of several rounds, after one to warm up.

    Every other round goes backwards, so that none always follows the same one.
    """
    images_BCHW = torch.full((batch, 3, size, size), 127.0, device=device)
    images_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for number in range(_ROUNDS + 1):
            for name in list(models)[:: -1 if number % 2 else 1]:
                start = time.perf_counter()
                models[name](images_BCHW)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times[name].append(1000 * (time.perf_counter() - start) / batch)
    return {name: each[1:] for name, each in times.items()}


def beside(rounds: Rounds, name: str, reference: str, known: Latency) -> Latency:
    """The latency of a model that was timed in turn with one whose latency is known.

    What is known are ratios, round by round: so models that memory does not hold together can be
    compared with each other.
    """
    ratios = [own / other for own, other in zip(rounds[name], rounds[reference], strict=True)]
    return Latency.of([known.median * ratio for ratio in ratios])
