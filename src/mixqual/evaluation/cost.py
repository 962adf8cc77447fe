"""What a network costs: parameters and multiply-accumulates (MACs)."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


@final
@dataclass(frozen=True)
class Cost:
    """Per image, except for the parameters."""

    params: int
    macs: int
    """Of convolutions and linear layers, as the field counts them; those of attention included."""


def count(network: nn.Module, size: int) -> Cost:
    """Count unique parameters, and the MACs of one `size` x `size` colour image."""
    return count_parts([network], size)[0]


def count_parts(parts: Sequence[nn.Module], size: int) -> list[Cost]:
    """Count each part of a network in which the output of one is the input of the next."""
    params = [sum(parameter.numel() for parameter in part.parameters()) for part in parts]
    return [Cost(*each) for each in zip(params, _macs_of_shapes(parts, size), strict=True)]


def kept_bytes(network: nn.Module, size: int) -> int:
    """Bytes that training keeps of each colour image of a batch until its gradients are known.

    Only shapes are followed, where the network allows it.
    """
    # Parameters are shared, buffers are not: batch norms count what they see.
    shared = {id(parameter): parameter for parameter in network.parameters()}
    trained = copy.deepcopy(network, shared).train()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            few, more = (_kept(trained, size, batch) for batch in (2, 3))
    except Exception:  # each network has its own way of asking for values
        few, more = (_kept(trained, size, batch) for batch in (2, 3))
    return more - few  # of the images: not of the weights


def _kept(trained: nn.Module, size: int, batch: int) -> int:
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        found[storage._cdata] = storage.nbytes()
        return tensor

    device = next(trained.parameters()).device
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = trained(torch.zeros(batch, 3, size, size, device=device))
        del output
    return sum(found.values())


def _macs_of_shapes(parts: Sequence[nn.Module], size: int) -> list[int]:
    """Follow the shapes through the parts; nothing is computed but where values are asked for."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            return _run(parts, size)
    except Exception:  # each network has its own way of asking for values
        return _run(parts, size)


def _run(parts: Sequence[nn.Module], size: int) -> list[int]:
    # Copies, as a network may keep something of what it has seen; they share all tensors.
    shared = {id(t): t for part in parts for t in (*part.parameters(), *part.buffers())}
    copies = [copy.deepcopy(part, shared).eval() for part in parts]
    device = next(parameter.device for part in parts for parameter in part.parameters())
    values, macs = torch.zeros(1, 3, size, size, device=device), []
    with torch.no_grad():
        for part in copies:
            with _MacCounter() as counter:
                values = part(values)
            macs.append(counter.macs)
    return macs


@final
class _MacCounter(TorchFunctionMode):
    """Counts the MACs of every convolution and linear layer that is called within the block."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if func in _CONVOLUTIONS:
            weight = kwargs["weight"] if "weight" in kwargs else args[1]
            self.macs += output.numel() * weight[0].numel()  # a kernel over the channels it sees
        elif func is functional.linear:
            weight = kwargs["weight"] if "weight" in kwargs else args[1]
            self.macs += output.numel() * weight.shape[1]
        elif func is functional.multi_head_attention_forward:
            self.macs += _attention_macs(*args[:3], **kwargs)
        return output


def _attention_macs(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> int:
    """The four linear layers of `nn.MultiheadAttention`, which calls them out of our sight."""
    tokens = [tensor.numel() // tensor.shape[-1] for tensor in (query, key, value)]
    width = query.shape[-1]
    inputs = sum(
        count * width * tensor.shape[-1]
        for count, tensor in zip(tokens, (query, key, value), strict=True)
    )
    return int(inputs + tokens[0] * width * width)
