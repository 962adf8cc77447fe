"""A mixture, or one network, as named tensors, and back again."""

from collections.abc import Mapping

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
)

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


def assemble(manifest: Manifest, tensors: Mapping[str, Tensor]) -> Mixture:
    """Build the mixture of a bundle, ready to predict; one network is mixed with no other.

    Raises `BundleError` if the tensors do not fit the network that the manifest tells of, or it is
    not known here.
    """
    preprocessing = Preprocessing(manifest.mean, manifest.std, manifest.interpolation)
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


def _classifier(manifest: Manifest, preprocessing: Preprocessing) -> Classifier:
    config = BackboneConfig(name=manifest.backbone, weights="random")
    network = blank_classifier(config, len(manifest.classes))
    return Classifier(network.backbone, preprocessing)


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}/"
    return {
        key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)
    }


def _fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    # PyTorch itself would not miss a batch norm's counter.
    own = network.state_dict().keys()
    for problem, names in (("missing", own - state.keys()), ("unknown", state.keys() - own)):
        if names:
            raise BundleError(
                f"its weights do not fit {what}: {len(names)} are {problem}, such as {min(names)}"
            )
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise BundleError(f"its weights do not fit {what}: {lines[-1].strip()}") from None
