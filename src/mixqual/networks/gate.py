"""The gating networks (paper, Table 1, and a lighter one): images in, one weight per expert out."""

from typing import final

import torch
from torch import Tensor, nn

from mixqual.errors import DataError
from mixqual.gate_layers import LEAST_SIDE, PATCH_SIDE, gate_layers
from mixqual.networks.preprocessing import Preprocessing


@final
class Gate(nn.Module):
    """Convolutions and a global average pool, over the whole image or over a patch of it.

    The "paper" kind has seven convolutions, 98,531 parameters for three experts. ReLU follows
    every convolution but the last, and 3x3 convolutions keep the size, as the paper's count of
    parameters and its Table 1 leave open. The "patch" kind has five, 24,675 parameters, and looks
    at the central 32x32 pixels: not at a smaller copy of the image, which would have another noise
    and another blur. It sees the whole of an image that is smaller. Any H and W of at least 16.
    Raises `StudyError` for another kind.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        experts: int,
        preprocessing: Preprocessing,
        seed: int = 0,
        kind: str = "paper",
    ) -> None:
        super().__init__()
        self._kind = kind
        self.register_buffer("mean", preprocessing.mean_tensor(), persistent=False)
        self.register_buffer("std", preprocessing.std_tensor(), persistent=False)
        layers: list[nn.Module] = []
        channels = 3
        for layer in gate_layers(experts, kind):
            padding = layer.kernel // 2
            layers += [nn.Conv2d(channels, layer.filters, layer.kernel, padding=padding), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if layer.pool else []
            channels = layer.filters
        self.layers = nn.Sequential(*layers[:-1])  # no ReLU after the last
        _initialise(self, seed)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return weights_BE of float images_BCHW in 0...255: at least 0, rows sum to one.

        Raises `DataError` for images of less than 16 pixels.
        """
        height, width = images_BCHW.shape[2:]
        if min(height, width) < LEAST_SIDE:
            raise DataError(
                f"images of {width}x{height} pixels are too small for a gate: it needs at least "
                f"{LEAST_SIDE}x{LEAST_SIDE}"
            )
        seen_BCHW = _central_patch(images_BCHW) if self._kind == "patch" else images_BCHW
        maps_BEHW: Tensor = self.layers((seen_BCHW - self.mean) / self.std)
        return maps_BEHW.mean((2, 3)).softmax(1)


@final
class SoleGate(nn.Module):
    """What stands for a gate before one network alone: it has nothing to choose."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return weights_B1, all one."""
        return images_BCHW.new_ones((images_BCHW.shape[0], 1))


def _central_patch(images_BCHW: Tensor) -> Tensor:
    """The central pixels of each image, unchanged; all of them where there are fewer."""
    height, width = images_BCHW.shape[2:]
    top, left = max(0, height - PATCH_SIDE) // 2, max(0, width - PATCH_SIDE) // 2
    return images_BCHW[:, :, top : top + PATCH_SIDE, left : left + PATCH_SIDE]


def _initialise(gate: nn.Module, seed: int) -> None:
    """He initialisation, which keeps the variance through the layers of ReLU."""
    generator = torch.Generator().manual_seed(seed)
    for module in gate.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
