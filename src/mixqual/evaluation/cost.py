"""What a network costs: parameters, multiply-accumulates (MACs), and measured latency."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

_REPEATS = 9


@final
@dataclass(frozen=True)
class Cost:
    """Per image, except for the parameters."""

    params: int
    macs: int
    """Of convolutions and linear layers, as the field counts them."""


def count(network: nn.Module, size: int) -> Cost:
    """Count unique parameters, and the MACs of one `size` x `size` colour image."""
    macs = 0

    def add(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            kernel = module.weight[0].numel()  # input channels of a group times the window
            macs += output[0].numel() * kernel
        elif isinstance(module, nn.Linear):
            macs += output[0].numel() * module.in_features

    hooks = [
        module.register_forward_hook(add)
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        device = next(network.parameters()).device
        with torch.inference_mode():
            network(torch.zeros(1, 3, size, size, device=device))
    finally:
        for module, training in modes:
            module.training = training
        for hook in hooks:
            hook.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), macs)


def latency_ms(
    predict: Callable[[Tensor], object], size: int, device: torch.device, batch: int = 1
) -> float:
    """Median milliseconds an image of a call on `size` x `size` images, after one to warm up."""
    images_BCHW = torch.full((batch, 3, size, size), 127.0, device=device)
    images_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(_REPEATS + 1):
            start = time.perf_counter()
            predict(images_BCHW)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
    return 1000 * sorted(times[1:])[_REPEATS // 2] / batch
