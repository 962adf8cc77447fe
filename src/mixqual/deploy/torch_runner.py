"""The mixture of a bundle, run by torch."""

from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixqual.confidence import with_temperature
from mixqual.config import RuntimeConfig
from mixqual.deploy.assembly import assemble
from mixqual.deploy.bundle import read_bundle
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.runner import CONDITIONAL, EXPERT, MODES, Answers, Mode
from mixqual.networks import Mixture, passing_weights, weighted_forward
from mixqual.runtime import place, set_up_machine


@final
class TorchRunner:
    """A `Runner` on the CPU or a GPU."""

    modes: tuple[str, ...] = MODES

    def __init__(self, manifest: Manifest, mixture: Mixture, device: str = "auto") -> None:
        self._manifest = manifest
        self._device = set_up_machine(RuntimeConfig(device=device)).device
        self._mixture = place(mixture, self._device).eval()

    def __call__(self, images_BCHW: NDArray[Any], mode: Mode) -> Answers:
        """Answer for each image, in a mode that is sure to fit the mixture."""
        given_BCHW = torch.tensor(images_BCHW).to(self._device, torch.float32)
        channels_last = given_BCHW.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            p_BK, w_BE, mixing_BE = self._run(channels_last, mode)
        values_BK: NDArray[np.floating] = p_BK.cpu().numpy()
        trust = self._manifest.trust
        if trust and mode.name != EXPERT:
            values_BK = with_temperature(values_BK, trust.temperature)
        return Answers(values_BK, w_BE.cpu().numpy(), (mixing_BE > 0).cpu().numpy())

    def _run(self, images_BCHW: Tensor, mode: Mode) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities, the gate's weights, and weights that are above zero for what has run."""
        if mode.name == CONDITIONAL:
            assert mode.tau is not None
            w_BE = self._mixture.gate(images_BCHW)
            mixing_BE = passing_weights(w_BE, mode.tau)
        elif mode.name == EXPERT:
            assert mode.expert is not None
            w_BE = self._mixture.gate(images_BCHW)
            mixing_BE = torch.zeros_like(w_BE)
            mixing_BE[:, self._manifest.experts.index(mode.expert)] = 1
        else:
            p_BK, w_BE = self._mixture(images_BCHW)
            return p_BK, w_BE, torch.ones_like(w_BE)
        return weighted_forward(self._mixture, images_BCHW, mixing_BE), w_BE, mixing_BE


def read_torch_runner(path: Path, device: str = "auto") -> tuple[Manifest, TorchRunner]:
    """Read a bundle; raises `BundleError` if it cannot be used."""
    manifest, tensors = read_bundle(path)
    return manifest, TorchRunner(manifest, assemble(manifest, tensors), device)
