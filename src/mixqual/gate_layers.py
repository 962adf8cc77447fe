"""The layers of the gating networks, known to the networks and to their tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from mixqual.errors import StudyError

PATCH_SIDE = 32
"""Side of what the patch gate looks at, in pixels at the resolution of the image."""

LEAST_SIDE = 16
"""Side of the smallest images that a gate can judge, in pixels."""


@final
@dataclass(frozen=True)
class GateLayer:
    """A convolution with a bias that keeps the size of its maps."""

    filters: int
    kernel: int
    """Side of the kernel."""
    pool: bool = False
    """Whether 2x2 max pooling follows."""


# All but the last. A patch is too small for seven: of the paper's it has three that look at
# neighbourhoods, and the one that sums up what these find.
_LAYERS: Mapping[str, tuple[GateLayer, ...]] = {
    "paper": (
        GateLayer(16, 3, pool=True),
        GateLayer(32, 3, pool=True),
        GateLayer(64, 3, pool=True),
        GateLayer(64, 3, pool=True),
        GateLayer(64, 3),
        GateLayer(16, 1),
    ),
    "patch": (
        GateLayer(16, 3, pool=True),
        GateLayer(32, 3, pool=True),
        GateLayer(64, 3),
        GateLayer(16, 1),
    ),
}


def gate_layers(experts: int, kind: str = "paper") -> tuple[GateLayer, ...]:
    """Conv-1 to the last, which makes one map for each expert, of which the mean is taken.

    The "paper" kind is Conv-1 to Conv-7 of Table 1, the "patch" kind is ours. Raises `StudyError`
    for another kind.
    """
    if kind not in _LAYERS:
        raise StudyError(f"there is no gate {kind!r}; there are {', '.join(_LAYERS)}")
    return (*_LAYERS[kind], GateLayer(experts, 1))
