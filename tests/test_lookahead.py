"""Batches made ahead, by the thread that feeds a GPU, here for the CPU."""

import threading
from collections.abc import Callable, Generator, Iterator

import pytest
import torch
from torch import Tensor

from mixqual.lookahead import _in_a_thread, made_ahead

CPU = torch.device("cpu")
Made = Callable[..., Iterator[tuple[Tensor, ...]]]
either_way = pytest.mark.parametrize("made", [made_ahead, _in_a_thread])


def double(number: int) -> tuple[Tensor, Tensor]:
    return torch.tensor(number), torch.tensor(2 * number)


@either_way
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_all_come_in_their_order(made: Made, count: int) -> None:
    found = [tuple(tensor.item() for tensor in each) for each in made(range(count), double, CPU)]
    assert found == [(number, 2 * number) for number in range(count)]


def test_on_a_cpu_a_batch_is_made_when_it_is_asked_for() -> None:
    asked: list[int] = []

    def noted(number: int) -> tuple[Tensor, ...]:
        asked.append(number)
        return double(number)

    batches = made_ahead(range(5), noted, CPU)
    assert asked == []
    next(batches)
    assert asked == [0]


def test_a_thread_is_one_batch_ahead_and_no_more() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            asked.append(number)
            yield number

    batches = _in_a_thread(items(), double, CPU)
    for number in range(4):
        next(batches)
        assert asked == list(range(number + 2))
    assert len(list(batches)) == 1


@either_way
def test_an_error_comes_in_the_place_of_its_batch(made: Made) -> None:
    def broken(number: int) -> tuple[Tensor, ...]:
        if number == 2:
            raise ValueError("the third")
        return double(number)

    batches = made(range(5), broken, CPU)
    assert [next(batches)[0].item(), next(batches)[0].item()] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(batches)


@either_way
@pytest.mark.parametrize("inference", [True, False])
def test_batches_are_inference_tensors_where_their_user_infers(made: Made, inference: bool) -> None:
    with torch.inference_mode(inference):
        assert all(each.is_inference() == inference for each, _ in made(range(3), double, CPU))


def test_no_thread_is_left_when_the_user_stops_early() -> None:
    batches = _in_a_thread(range(5), double, CPU)
    next(batches)
    assert any(thread.name.startswith("batches") for thread in threading.enumerate())
    assert isinstance(batches, Generator)
    batches.close()
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())
