"""A mixture as one network, from pixels to calibrated probabilities: what other formats hold."""

from typing import final

import torch
from torch import Tensor, nn

from mixqual.confidence import PROBABILITY_FLOOR
from mixqual.deploy.manifest import Manifest
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


def example_of(manifest: Manifest, input_type: str) -> Tensor:
    """Two black images: an exporter would take a batch of one to be always one."""
    return torch.zeros(2, 3, manifest.size, manifest.size, dtype=_TYPES[input_type])
