"""A mixture, or one network, as named tensors, and back again."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.deploy.manifest import Manifest
from mixqual.errors import BackboneError, BundleError
from mixqual.networks import (
    Classifier,
    Gate,
    Mixture,
    Preprocessing,
    Sharing,
    SoleGate,
    Stages,
    blank_classifier,
    without_weights,
)

T = TypeVar("T")

_GATE, _SHARED = "gate", "shared"


def mixture_tensors(
    experts: Mapping[str, Mapping[str, Tensor]],
    gate: Mapping[str, Tensor],
    shared: Mapping[str, Tensor] | None,
) -> dict[str, Tensor]:
    """Name the tensors of a mixture; one network alone is its only expert, and its gate has none.

    `experts` have state dicts: of whole networks, or, where the whole network of the clean expert
    is `shared`, of the branches of the others.
    """
    parts = {**{f"expert.{name}": state for name, state in experts.items()}, _GATE: gate}
    if shared is not None:
        parts[_SHARED] = shared
    return {
        f"{part}/{key}": tensor for part, state in parts.items() for key, tensor in state.items()
    }


class Kind(NamedTuple):
    """What a tensor is like, before it is read."""

    dtype: torch.dtype
    shape: tuple[int, ...]


def check_fit(manifest: Manifest, kinds: Mapping[str, Kind]) -> None:
    """Compare the tensors of a bundle with its network, of which no weight is made for it.

    Raises like `assemble`. The branches of a mixture that shares stages are not looked into: they
    are parts of its shared network.
    """
    shared = manifest.until is not None or manifest.from_ is not None
    own = [f"expert.{name}" for name in manifest.experts]
    known = {_GATE, *own, *([_SHARED] if shared else [])}
    for name, kind in kinds.items():
        if name.partition("/")[0] not in known and not name.startswith(tuple(f"{k}/" for k in own)):
            raise BundleError(f"its weights do not fit: {name} is of no part of its network")
        if kind.dtype.is_floating_point and kind.dtype != torch.float32:
            raise BundleError(f"its weights do not fit: {name} has numbers of {kind.dtype}")
    if manifest.is_mixture:
        with torch.device("meta"):
            gate = Gate(len(manifest.experts), _preprocessing(manifest), kind=manifest.gate)
        _compare(gate, _part(kinds, _GATE), "the gate")
    try:
        network = without_weights(lambda: _classifier(manifest, _preprocessing(manifest)))
    except BackboneError as error:
        raise BundleError(f"its network cannot be built here: {error}") from None
    for name in [_SHARED] if shared else own:
        _compare(network, _part(kinds, name), f"expert {name.removeprefix('expert.')!r}")


def assemble(manifest: Manifest, tensors: Mapping[str, Tensor]) -> Mixture:
    """Build the mixture of a bundle, ready to predict; one network is mixed with no other.

    Raises `BundleError` if the tensors do not fit the network that the manifest tells of, or it is
    not known here.
    """
    preprocessing = _preprocessing(manifest)
    gate: nn.Module = SoleGate()
    if manifest.is_mixture:
        gate = Gate(len(manifest.experts), preprocessing, kind=manifest.gate)
    try:
        _fill(gate, _part(tensors, _GATE), "the gate")
        if manifest.until is None and manifest.from_ is None:
            networks = []
            for name in manifest.experts:
                networks.append(_classifier(manifest, preprocessing))
                _fill(networks[-1], _part(tensors, f"expert.{name}"), f"expert {name!r}")
            return Mixture.independent(networks, gate).eval()
        clean = _classifier(manifest, preprocessing)
        _fill(clean, _part(tensors, _SHARED), "the shared network")
        parts = Stages(clean, manifest.backbone).divide(Sharing(manifest.until, manifest.from_))
        branches = [
            None if name == manifest.clean else _part(tensors, f"expert.{name}")
            for name in manifest.experts
        ]
        return Mixture.shared(parts, branches, gate).eval()
    except BackboneError as error:
        raise BundleError(f"its network cannot be built here: {error}") from None
    except RuntimeError as error:  # a branch's tensors
        raise BundleError(f"its weights do not fit: {str(error).splitlines()[0]}") from None


def _preprocessing(manifest: Manifest) -> Preprocessing:
    return Preprocessing(manifest.mean, manifest.std, manifest.interpolation)


def _classifier(manifest: Manifest, preprocessing: Preprocessing) -> Classifier:
    config = BackboneConfig(name=manifest.backbone, weights="random")
    network = blank_classifier(config, len(manifest.classes))
    return Classifier(network.backbone, preprocessing)


def _part(tensors: Mapping[str, T], name: str) -> dict[str, T]:
    start = f"{name}/"
    return {
        key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)
    }


def _fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    _compare(network, {key: Kind(t.dtype, tuple(t.shape)) for key, t in state.items()}, what)
    network.load_state_dict(state)


def _compare(network: nn.Module, kinds: Mapping[str, Kind], what: str) -> None:
    own = network.state_dict()
    # PyTorch itself would not miss a batch norm's counter, and would convert other numbers.
    missing, unknown = own.keys() - kinds.keys(), kinds.keys() - own.keys()
    for problem, names in (("missing", missing), ("unknown", unknown)):
        if names:
            raise BundleError(
                f"its weights do not fit {what}: {len(names)} are {problem}, such as {min(names)}"
            )
    for key, tensor in own.items():
        asked = Kind(tensor.dtype, tuple(tensor.shape))
        if kinds[key] != asked:
            raise BundleError(
                f"its weights do not fit {what}: {key} is {kinds[key].dtype} of "
                f"{kinds[key].shape}, not {asked.dtype} of {asked.shape}"
            )
