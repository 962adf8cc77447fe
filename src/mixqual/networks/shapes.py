"""Networks of shapes, to compare with what is given before any weights are made."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def without_weights(make: Callable[[], Network]) -> Network:
    """The network that is made, with shapes in place of its weights: it takes next to no memory."""
    try:
        with torch.device("meta"):
            return make()
    except NotImplementedError:  # its structure is computed: only the weights are left out
        # Imported where it is needed, by a few of torchvision's networks.
        from accelerate import init_empty_weights

        with init_empty_weights(include_buffers=False):
            return make()
