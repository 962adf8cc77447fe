"""The one training loop: experts, baselines and the gate differ only in their `Task`.

By the paper's recipe (Section 2) that is stochastic gradient descent with momentum, until the
validation loss stops falling; settings make others of it (`recipe`). Every random draw, and the
rate of a step, derives from the seed and the count of steps, so that on a CPU a fit
which is killed and started again ends with the same bits as one that was not. On a GPU two fits
differ: its libraries add in an order of their own.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from mixqual.config import FitConfig
from mixqual.errors import DataError, RunError
from mixqual.lookahead import made_ahead
from mixqual.progress import progress
from mixqual.runtime import place
from mixqual.seeding import derive_seed
from mixqual.training.checkpoints import (
    STATE,
    Progress,
    load_state,
    save_state,
    save_tensors,
)
from mixqual.training.recipe import Schedule, make_average, make_optimizer, validates
from mixqual.training.steps import in_precision, share, take_step
from mixqual.training.task import Batch, Task, batches, prepared, validation_assignment

# Seconds between checkpoints within an epoch; every epoch ends with one besides.
_CHECKPOINT_EVERY = 60.0
_VALIDATION_BATCH = 64


@final
@dataclass(frozen=True)
class Fitted:
    """How a fit ended."""

    steps: int
    epochs: int
    best_epoch: int
    val_loss: float
    parts: int = 1
    """In how many parts each batch went through the network: 2 if memory ran out."""


def fit(
    network: nn.Module,
    new_parameters: list[nn.Parameter],
    task: Task,
    config: FitConfig,
    accelerator: Accelerator,
    directory: Path,
    *,
    max_steps: int | None = None,
) -> Fitted:
    """Train `network` in place and leave it with the weights that are kept, in evaluation mode.

    `new_parameters` learn at `config.lr_new`, the others at `config.lr`. `directory` receives
    `state.safetensors` (from which an interrupted call goes on), `weights.safetensors` (what is
    kept) and TensorBoard logs. With `config.early_stopping` it stops after `config.patience` epochs
    without a lower validation loss and keeps the best weights; otherwise it keeps the last. It
    stops at the latest after `config.max_epochs` or, if `max_steps` is given, at the end of the
    epoch that reaches it instead. With `config.average` all of this is about the running average.
    Raises `DataError` if the training images do not fill one batch, and `RunError` if training
    diverges or memory holds not even half of a batch.
    """
    steps_per_epoch = len(task.train) // config.batch_size
    if steps_per_epoch == 0:
        raise DataError(
            f"{task.title}: {len(task.train)} training images do not fill a batch of "
            f"{config.batch_size}; lower training.batch_size or add images"
        )
    if config.batch_size % accelerator.num_processes:
        raise RunError(
            f"training.batch_size = {config.batch_size} cannot be shared equally by "
            f"{accelerator.num_processes} processes"
        )
    place(network, accelerator.device)
    optimizer = make_optimizer(network, new_parameters, config)
    average = make_average(network, config)
    averaged = average.module if average else None
    measured = network if averaged is None else averaged
    state_path = directory / STATE
    best: dict[str, Tensor] = {}
    at = Progress()
    if state_path.exists():
        best, at = load_state(state_path, network, optimizer, averaged)
    wrapped, wrapped_optimizer = accelerator.prepare(network, optimizer)
    forward = in_precision(wrapped, config.precision, accelerator.device)
    last_step = steps_per_epoch * config.max_epochs if max_steps is None else max_steps
    schedule = Schedule(optimizer, config, last_step)
    patience = config.patience if config.early_stopping else math.inf

    def save() -> None:
        if accelerator.is_main_process:
            save_state(state_path, network, optimizer, averaged, best, at)

    saved = time.monotonic()
    with (
        progress(
            task.title,
            last_step * config.batch_size,
            "images",
            at.step * config.batch_size,
            shown=accelerator.is_main_process,
        ) as advance,
        _tensorboard(directory, accelerator) as log,
    ):
        while at.epoch * steps_per_epoch < last_step and at.epochs_without_gain < patience:
            network.train()
            first = at.step - at.epoch * steps_per_epoch  # all of them if only validation is left
            left = batches(task, config.batch_size, first, at.epoch)
            draw = partial(share, task, accelerator)
            for shown in made_ahead(left, draw, accelerator.device):
                schedule.set_rate(at.step)
                loss = take_step(forward, wrapped_optimizer, task, *shown, at, accelerator)
                at.step += 1
                at.epoch_loss += loss
                if average:
                    average.update(network, step=at.step)
                advance(config.batch_size, f"loss {loss:.3f}")
                if time.monotonic() - saved > _CHECKPOINT_EVERY:
                    save()
                    saved = time.monotonic()
            last = (at.epoch + 1) * steps_per_epoch >= last_step
            look = validates(config, at.epoch + 1, last)
            val_loss = _validate(measured, task, accelerator) if look else None
            better = _end_epoch(task, at, steps_per_epoch, val_loss, log)
            if val_loss is not None and (better or not config.early_stopping):
                at.best_loss, at.best_epoch = val_loss, at.epoch
                best = {
                    name: tensor.detach().to("cpu", copy=True)
                    for name, tensor in measured.state_dict().items()
                }
            save()
            saved = time.monotonic()
    network.load_state_dict(best)
    network.eval()
    fitted = Fitted(at.step, at.epoch, at.best_epoch, at.best_loss, at.parts)
    if accelerator.is_main_process:
        save_tensors(directory / "weights.safetensors", best, vars(fitted))
    accelerator.free_memory()  # it holds on to every network and optimiser that it has prepared
    accelerator.wait_for_everyone()
    return fitted


def _validate(network: nn.Module, task: Task, accelerator: Accelerator) -> float:
    """Mean loss over the validation images, each counted once however many processes there are."""
    assignment = validation_assignment(task)
    seed = derive_seed(task.val_seed, "validation")
    network.eval()
    if accelerator.num_processes > 1:
        # The statistics of batch norms: each process has those of its own share of the last batch.
        for buffer in network.buffers():
            broadcast(buffer)
    total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
    starts = range(0, len(task.val), _VALIDATION_BATCH)
    own = starts[accelerator.process_index :: accelerator.num_processes]

    def draw(start: int) -> tuple[Tensor, Tensor]:
        positions_B = torch.arange(start, min(start + _VALIDATION_BATCH, len(task.val)))
        part = assignment.part(slice(start, start + _VALIDATION_BATCH))
        batch = Batch(positions_B, part, seed, moves=None)
        return prepared(task, task.val, batch, accelerator.device)

    with torch.inference_mode():
        for images_BCHW, targets in made_ahead(own, draw, accelerator.device):
            total += task.losses(network(images_BCHW), targets).double().sum()
    summed: Tensor = accelerator.reduce(total, "sum")
    return summed.item() / len(task.val)


def _end_epoch(
    task: Task,
    at: Progress,
    steps: int,
    val_loss: float | None,
    log: Callable[[dict[str, float]], None],
) -> bool:
    """Count, and say whether the loss on validation images, if it was taken, is the lowest."""
    if val_loss is not None and not math.isfinite(val_loss):
        raise RunError(
            f"{task.title}: the validation loss is {val_loss} after epoch {at.epoch + 1}; training "
            "diverged: lower training.lr or training.lr_new"
        )
    at.epoch += 1
    row = {"epoch": at.epoch, "step": at.step, "train_loss": at.epoch_loss / steps}
    if val_loss is not None:
        row["val_loss"] = val_loss
    at.history.append(row)
    at.epoch_loss = 0.0
    log(row)
    better = val_loss is not None and val_loss < at.best_loss
    at.epochs_without_gain = 0 if better else at.epochs_without_gain + 1
    return better


@contextmanager
def _tensorboard(
    directory: Path, accelerator: Accelerator
) -> Iterator[Callable[[dict[str, float]], None]]:
    if not accelerator.is_main_process:
        yield lambda row: None
        return
    with SummaryWriter(directory / "tensorboard") as writer:

        def log(row: dict[str, float]) -> None:
            for name in ("train_loss", "val_loss"):
                if name in row:
                    writer.add_scalar(name, row[name], int(row["epoch"]))

        yield log
