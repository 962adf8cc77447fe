"""A mixture as one network, from pixels to calibrated probabilities: what other formats hold."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from mixqual.confidence import PROBABILITY_FLOOR
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_cut import FEATURES
from mixqual.networks import Mixture

_TYPES = {"uint8": torch.uint8, "float32": torch.float32}


@final
class WholeNetwork(nn.Module):
    """From images_BCHW in 0...255, of any type, to probabilities_BK and weights_BE."""

    def __init__(self, manifest: Manifest, mixture: Mixture) -> None:
        super().__init__()
        self.mixture = mixture
        self._temperature = manifest.trust.temperature if manifest.trust else None

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise, weigh, classify, mix, and calibrate as `confidence.with_temperature` does."""
        p_BK, weights_BE = self.mixture(images_BCHW.to(torch.float32))
        if self._temperature is not None:
            log_BK = p_BK.clamp(min=PROBABILITY_FLOOR).log()
            p_BK = (log_BK / self._temperature).softmax(1)
        return p_BK, weights_BE


@final
class OpenedNetwork(nn.Module):
    """A `WholeNetwork` that also returns the values at the cuts of `onnx_cut`, in their order."""

    def __init__(self, network: WholeNetwork, cuts: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self._shares_first_stages = FEATURES in cuts

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities_BK, weights_BE, and what modules gave to each other on the way."""
        mixture = self.network.mixture
        inner: list[Tensor] = []

        def keep(_: nn.Module, __: tuple[Tensor], made: Tensor) -> None:
            inner.append(made)

        def keep_given(_: nn.Module, given: tuple[Tensor]) -> None:
            inner.append(given[0])

        hooks = [branch.register_forward_hook(keep) for branch in mixture.branches]
        if self._shares_first_stages:
            hooks.append(mixture.prefix.register_forward_hook(keep))
        if mixture.suffix is not None:
            hooks.append(mixture.suffix.register_forward_pre_hook(keep_given))
            hooks.append(mixture.suffix.register_forward_hook(keep))
        try:
            p_BK, weights_BE = self.network(images_BCHW)
        finally:
            for hook in hooks:
                hook.remove()
        return p_BK, weights_BE, *inner


def example_of(manifest: Manifest, input_type: str) -> Tensor:
    """Two black images: an exporter would take a batch of one to be always one."""
    return torch.zeros(2, 3, manifest.size, manifest.size, dtype=_TYPES[input_type])
