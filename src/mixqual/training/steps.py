"""One step of stochastic gradient descent; a batch that memory does not hold comes in halves."""

import gc
from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from mixqual.errors import RunError
from mixqual.progress import say
from mixqual.seeding import derive_seed
from mixqual.training.checkpoints import Progress
from mixqual.training.task import Batch, Task, prepared

Forward = Callable[[Tensor], Tensor]
"""From float images_BCHW in 0...255 to outputs in float32, recorded for the gradient."""

# What torch says of a batch norm that has one value, and the CPU's allocator without memory.
_TOO_FEW = "more than 1 value per channel"
_NO_MEMORY = ("can't allocate memory", "not enough memory")


def in_precision(network: nn.Module, precision: str, device: torch.device) -> Forward:
    """The network with activations in a precision; what it returns is float32."""
    if precision == "float32":
        return network

    def forward(images_BCHW: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            outputs: Tensor = network(images_BCHW)
        return outputs.float()

    return forward


def share(task: Task, accelerator: Accelerator, batch: Batch) -> tuple[Tensor, Tensor]:
    """What a process takes of the one global batch, whose draws are the same for any number."""
    own = slice(accelerator.process_index, None, accelerator.num_processes)
    return prepared(task, task.train, batch.part(own), accelerator.device)


def take_step(
    network: Forward,
    optimizer: torch.optim.Optimizer,
    task: Task,
    images_BCHW: Tensor,
    targets: Tensor,
    at: Progress,
    accelerator: Accelerator,
) -> float:
    """Take the next step and return the mean loss of its batch, over all processes.

    Each process gives its share of the batch, as `share` makes it.

    If memory runs out, this step and all after it add up the gradients of two halves: the same
    batch, though a batch norm sees half of it at a time. Raises `RunError` if that is too much as
    well, or if there are several processes, which could not agree on it.
    """
    torch.manual_seed(derive_seed(task.seed, "dropout", at.step, accelerator.process_index))
    try:
        loss = _backward(network, optimizer, task, images_BCHW, targets, at.parts, accelerator)
    except ValueError as error:
        if _TOO_FEW not in str(error):
            raise
        raise RunError(
            f"{task.title}: this network has batch norms that cannot take one image alone; raise "
            "training.batch_size or data.size, or choose another backbone"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or ["MemoryError"])[0]
    else:
        optimizer.step()
        mean: Tensor = accelerator.reduce(loss, "mean")
        return mean.item()
    # Out here nothing holds the failed step any more.
    _halve(task, at, len(images_BCHW), accelerator, reason)
    return take_step(network, optimizer, task, images_BCHW, targets, at, accelerator)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in _NO_MEMORY)


def _backward(
    network: Forward,
    optimizer: torch.optim.Optimizer,
    task: Task,
    images_BCHW: Tensor,
    targets: Tensor,
    parts: int,
    accelerator: Accelerator,
) -> Tensor:
    """The gradient of the batch's mean loss, and that loss."""
    optimizer.zero_grad()
    if parts == 1:
        loss = task.losses(network(images_BCHW), targets).mean()
        accelerator.backward(loss)
        return loss.detach()
    total = torch.zeros((), device=images_BCHW.device)
    for part_BCHW, part in zip(images_BCHW.chunk(parts), targets.chunk(parts), strict=True):
        loss = task.losses(network(part_BCHW), part).sum() / len(images_BCHW)
        accelerator.backward(loss)
        total += loss.detach()
    return total


def _halve(task: Task, at: Progress, images: int, accelerator: Accelerator, reason: str) -> None:
    if at.parts > 1 or images < 2 or accelerator.num_processes > 1:
        raise RunError(
            f"{task.title}: memory does not hold a step of {-(-images // at.parts)} images "
            f"({reason}); lower training.batch_size or data.size"
        )
    at.parts = 2
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    say(
        f"{task.title}: memory does not hold a step of {images} images; from now on each batch "
        "comes in two halves, whose gradients are added up"
    )
