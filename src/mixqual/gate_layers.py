"""The layers of the gating network (paper, Table 1), known to the network and to its table."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class GateLayer:
    """A convolution with a bias that keeps the size of its maps."""

    filters: int
    kernel: int
    """Side of the kernel."""
    pool: bool = False
    """Whether 2x2 max pooling follows."""


def gate_layers(experts: int) -> tuple[GateLayer, ...]:
    """Conv-1 to Conv-7; the last makes one map for each expert, of which the mean is taken."""
    return (
        GateLayer(16, 3, pool=True),
        GateLayer(32, 3, pool=True),
        GateLayer(64, 3, pool=True),
        GateLayer(64, 3, pool=True),
        GateLayer(64, 3),
        GateLayer(16, 1),
        GateLayer(experts, 1),
    )
