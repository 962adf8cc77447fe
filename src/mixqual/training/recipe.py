"""What a recipe takes beside the loop: optimiser, schedule of the rate, running average."""

import math
from typing import final

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn

from mixqual.config import FitConfig

# timm's "sgd" is Nesterov's.
_OPTIMIZERS = {"sgd": "momentum", "adamw": "adamw"}
# How often a fit is validated whose end does not depend on it.
_LOOKS = 10


def make_optimizer(
    network: nn.Module, new_parameters: list[nn.Parameter], config: FitConfig
) -> torch.optim.Optimizer:
    """The optimiser: `new_parameters` learn at their own rate, only matrices and kernels decay."""
    new = {id(parameter) for parameter in new_parameters}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in sorted(network.parameters(), key=lambda each: id(each) in new):
        lr = config.lr_new if id(parameter) in new else config.lr
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    return create_optimizer_v2(
        [{"params": each, "lr": lr, "weight_decay": d} for (lr, d), each in groups.items()],
        _OPTIMIZERS[config.optimizer],
        lr=config.lr,
        momentum=config.momentum,
    )


@final
class Schedule:
    """The learning rate of each step, a function of its number alone."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: FitConfig, steps: int) -> None:
        """`steps` are all of the fit."""
        self._cosine: CosineLRScheduler | None = None
        if config.schedule == "cosine":
            warmup = int(config.warmup * steps)
            self._cosine = CosineLRScheduler(
                optimizer,
                # One more than are left, so that the last step still learns.
                t_initial=steps - warmup + 1,
                warmup_t=warmup,
                warmup_prefix=True,
                t_in_epochs=False,
            )

    def set_rate(self, step: int) -> None:
        """Set the optimiser to the rate of a step, counted from 0."""
        if self._cosine:
            self._cosine.step_update(step + 1)


def make_average(network: nn.Module, config: FitConfig) -> ModelEmaV3 | None:
    """The running average of weights and buffers, if the recipe has one.

    It starts as what the network is after its first step, and slows down to `config.average`.
    """
    return ModelEmaV3(network, config.average, use_warmup=True) if config.average else None


def validates(config: FitConfig, epoch: int, last: bool) -> bool:
    """Whether a fit looks at its validation images after an epoch, counted from 1."""
    every = 1 if config.early_stopping else math.ceil(config.max_epochs / _LOOKS)
    return last or epoch % every == 0


def validations(config: FitConfig) -> int:
    """How often it does in all of `max_epochs`."""
    epochs = range(1, config.max_epochs + 1)
    return sum(validates(config, epoch, epoch == config.max_epochs) for epoch in epochs)
