"""The head of a backbone: the layers that give the scores of classes, and new ones in their place.

timm says for each of its networks what these layers are: none for some, which give features only,
and two for those trained by distillation. Of torchvision's networks it is the last layer.
"""

from typing import Any, TypeGuard

import torch
from torch import nn

from mixqual.errors import BackboneError

# What torchvision's networks call the classifiers that they have in training only.
_AUXILIARY = ("aux_logits", "AuxLogits", "aux1", "aux2")


def head_names(backbone: nn.Module) -> tuple[str, ...]:
    """The paths of the head's layers in a state dict, also those that a network may yet be given.

    Empty if the network has no linear layer and no convolution.
    """
    said = (getattr(backbone, "pretrained_cfg", None) or {}).get("classifier")
    if said:
        return (said,) if isinstance(said, str) else tuple(said)
    layers = [name for name, module in backbone.named_modules() if _gives_scores(module)]
    return tuple(layers[-1:])


def head_layers(backbone: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """The head's layers by their paths; empty if the network gives features only."""
    modules = dict(backbone.named_modules())
    found = {name: modules.get(name) for name in head_names(backbone)}
    return {name: module for name, module in found.items() if _gives_scores(module)}


def replace_head(backbone: nn.Module, classes: int, seed: int, name: str) -> None:
    """Give a network new layers for `classes` classes: Glorot-uniform, with zero bias, from `seed`.

    Raises `BackboneError`, with the network's `name`, if it cannot be given any.
    """
    if any(getattr(backbone, auxiliary, None) for auxiliary in _AUXILIARY):
        raise BackboneError(f"{name}: networks with auxiliary classifiers are not supported")
    if not head_layers(backbone):
        _add_head(backbone, classes, seed, name)
    generator = torch.Generator().manual_seed(seed)
    for path, old in head_layers(backbone).items():
        new = _like(old, classes)
        nn.init.xavier_uniform_(new.weight, generator=generator)
        nn.init.zeros_(new.bias)  # type: ignore[arg-type]
        parent, _, attribute = path.rpartition(".")
        setattr(backbone.get_submodule(parent), attribute, new)


def keep_head(backbone: nn.Module, classes: int, where: str) -> None:
    """Leave a trained head as it is, in the form of a new one: with a bias, if it has none.

    Raises `BackboneError` if it is not for so many classes; `where` says whose it is.
    """
    layers = head_layers(backbone).values()
    found = [len(layer.weight) for layer in layers]
    if set(found) != {classes}:
        raise BackboneError(
            f"{where} has {f'a head for {found[0]} classes' if found else 'no head'}, but the data "
            f'have {classes} classes; set backbone.head = "new"'
        )
    for layer in layers:
        if layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(classes))


def head_parameters(backbone: nn.Module) -> list[nn.Parameter]:
    """The parameters of the head's layers, in their order."""
    layers = head_layers(backbone).values()
    return [parameter for layer in layers for parameter in layer.parameters()]


def _gives_scores(module: nn.Module | None) -> TypeGuard[nn.Linear | nn.Conv2d]:
    return isinstance(module, (nn.Linear, nn.Conv2d))


def _add_head(backbone: nn.Module, classes: int, seed: int, name: str) -> None:
    """Have a network of features make itself a head, as its library does."""
    try:
        with torch.random.fork_rng(devices=[]), next(backbone.parameters()).device:
            torch.manual_seed(seed)
            backbone.reset_classifier(classes)  # type: ignore[operator]
    except Exception as error:  # each network refuses in its own way
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise BackboneError(
            f"{name} has no layer for classes, and cannot be given one ({reason}); choose another "
            "backbone"
        ) from None
    if not head_layers(backbone):
        raise BackboneError(
            f"{name} has no linear layer or convolution for its classes, and so cannot be given "
            "new classes; choose another backbone"
        )


def _like(old: nn.Linear | nn.Conv2d, classes: int) -> nn.Linear | nn.Conv2d:
    with old.weight.device:
        if isinstance(old, nn.Linear):
            return nn.Linear(old.in_features, classes)
        sizes: Any = (old.kernel_size, old.stride, old.padding)
        return nn.Conv2d(old.in_channels, classes, *sizes)
