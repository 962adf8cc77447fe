"""The gating network (paper, Table 1): images in, one weight per expert out."""

from typing import final

import torch
from torch import Tensor, nn

from mixqual.gate_layers import gate_layers
from mixqual.networks.preprocessing import Preprocessing


@final
class Gate(nn.Module):
    """Seven convolutions and a global average pool; 98,531 parameters for three experts.

    ReLU follows every convolution but the last, and 3x3 convolutions keep the size, as the
    paper's count of parameters and its Table 1 leave open. Any H and W of at least 16.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, experts: int, preprocessing: Preprocessing, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", preprocessing.mean_tensor(), persistent=False)
        self.register_buffer("std", preprocessing.std_tensor(), persistent=False)
        layers: list[nn.Module] = []
        channels = 3
        for layer in gate_layers(experts):
            padding = layer.kernel // 2
            layers += [nn.Conv2d(channels, layer.filters, layer.kernel, padding=padding), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if layer.pool else []
            channels = layer.filters
        self.layers = nn.Sequential(*layers[:-1])  # no ReLU after the last
        _initialise(self, seed)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return weights_BE of float images_BCHW in 0...255: at least 0, rows sum to one."""
        maps_BEHW: Tensor = self.layers((images_BCHW - self.mean) / self.std)
        return maps_BEHW.mean((2, 3)).softmax(1)


def _initialise(gate: nn.Module, seed: int) -> None:
    """He initialisation, which keeps the variance through seven layers of ReLU."""
    generator = torch.Generator().manual_seed(seed)
    for module in gate.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
