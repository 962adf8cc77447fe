"""Checkpoints in safetensors: tensors, and numbers as JSON beside them, in one atomic file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mixqual.artifacts import refusing_full_disk, replace_durably
from mixqual.errors import RunError
from mixqual.progress import say

# What optimisers keep of each parameter.
_STATE: Mapping[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.SGD: ("momentum_buffer",),
    torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"),
}


STATE = "state.safetensors"


@final
@dataclass
class Progress:
    """Where a fit stands. Every draw derives from these counts, so there is no other state."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Steps taken, over all epochs."""
    epoch_loss: float = 0.0
    """Sum of the training losses of the epoch under way."""
    best_loss: float = float("inf")
    best_epoch: int = 0
    epochs_without_gain: int = 0
    parts: int = 1
    """In how many parts a batch goes through the network."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One row an epoch: epoch, step, train_loss, val_loss."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able numbers to one file, atomically."""
    temporary = path.with_name(path.name + ".tmp")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with refusing_full_disk(path):
        try:
            safetensors.torch.save_file(plain, temporary, {"numbers": json.dumps(numbers)})
        except safetensors.SafetensorError as error:
            # The library hides the operating system's error number in its message.
            if "os error 28" in str(error) or "No space left" in str(error):
                raise OSError(28, "No space left on device", str(path)) from error
            raise
        replace_durably(temporary, path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote; raises `RunError` if the file is missing or damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            numbers = json.loads((file.metadata() or {}).get("numbers", "{}"))
    except (OSError, safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise RunError(
            f"{path} is missing or damaged ({error}); delete its folder and run again"
        ) from None
    return tensors, numbers


def discard_damaged_state(directory: Path) -> None:
    """Take away what an interrupted fit has left if it cannot be read, with a line that says so."""
    path = directory / STATE
    try:
        if path.exists():
            with safetensors.safe_open(path, framework="pt") as file:
                json.loads((file.metadata() or {})["numbers"])
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        say(f"{path} is damaged ({error}); its training starts anew")
        path.unlink()


def save_state(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    best: Mapping[str, Tensor],
    progress: Progress,
) -> None:
    """Write all that a fit needs to go on; `average` is the network of running averages."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for name, parameter in network.named_parameters():
        for kind, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{_prefix(kind)}{name}"] = value
    save_tensors(path, tensors, {**asdict(progress), "best_loss": repr(progress.best_loss)})


def load_state(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None = None,
) -> tuple[dict[str, Tensor], Progress]:
    """Restore network, optimiser and average in place; return the best weights and the progress."""
    tensors, numbers = load_tensors(path)
    network.load_state_dict(_under("network.", tensors))
    if average is not None:
        average.load_state_dict(_under("average.", tensors))
    for kind in _STATE[type(optimizer)]:
        values = _under(_prefix(kind), tensors)
        for name, parameter in network.named_parameters():
            if name in values:
                value = values[name]
                if value.shape == parameter.shape:
                    # In the parameter's own memory format, as the optimiser would have made it.
                    value = torch.empty_like(parameter).copy_(value).detach()
                optimizer.state[parameter][kind] = value
    progress = Progress(**{**numbers, "best_loss": float(numbers["best_loss"])})
    return _under("best.", tensors), progress


def _prefix(kind: str) -> str:
    """Before the names of the parameters of what an optimiser keeps of them."""
    return "momentum." if kind == "momentum_buffer" else f"{kind}."


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
