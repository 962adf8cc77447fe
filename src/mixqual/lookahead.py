"""Batches for a GPU: the next one is made while the GPU works on one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Tensors = TypeVar("Tensors", bound=tuple[Tensor, ...])


def made_ahead(
    items: Iterable[Item], make: Callable[[Item], Tensors], device: torch.device
) -> Iterator[Tensors]:
    """What `make` gives for each of the items, in their order, on `device`.

    On a CPU it is called when its result is asked for. For a GPU a thread calls it one item ahead:
    what has to wait for pixels that are on the GPU then waits for nothing else there.
    """
    if device.type == "cuda":
        yield from _in_a_thread(items, make, device)
    else:
        yield from map(make, items)


def _in_a_thread(
    items: Iterable[Item], make: Callable[[Item], Tensors], device: torch.device
) -> Iterator[Tensors]:
    stream = None
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    inference = torch.is_inference_mode_enabled()  # which a thread has to be told

    def made(item: Item) -> Tensors:
        with torch.inference_mode(inference), torch.cuda.stream(stream):
            tensors = make(item)
        if stream is not None:
            stream.synchronize()
        return tensors

    def taken(future: Future[Tensors]) -> Tensors:
        tensors = future.result()
        for tensor in tensors:
            if tensor.is_cuda:  # its memory is free again when this stream has done with it
                tensor.record_stream(torch.cuda.current_stream(device))
        return tensors

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Tensors]] = deque()
        for item in items:
            waiting.append(pool.submit(made, item))
            if len(waiting) > 1:
                yield taken(waiting.popleft())
        while waiting:
            yield taken(waiting.popleft())
