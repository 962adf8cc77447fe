"""The mixture of experts (paper, Eq. 3): every expert's probabilities, weighted by the gate."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


@final
class Mixture(nn.Module):
    """Independent experts under one gate."""

    def __init__(self, experts: Sequence[nn.Module], gate: nn.Module) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gate = gate

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities_BK and weights_BE of float images_BCHW in 0...255."""
        weights_BE = self.gate(images_BCHW)
        probabilities_EBK = torch.stack([expert(images_BCHW).softmax(1) for expert in self.experts])
        return torch.einsum("be,ebk->bk", weights_BE, probabilities_EBK), weights_BE
