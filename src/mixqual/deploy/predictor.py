"""A bundle that predicts: images in, classes with confidence and the experts' weights out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mixqual.config import RuntimeConfig
from mixqual.deploy.assembly import assemble
from mixqual.deploy.bundle import read_bundle
from mixqual.deploy.experts import expert_probabilities
from mixqual.deploy.inputs import Source, batch_of, pixels_of
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.quality import Estimate, estimate_distortion
from mixqual.errors import DataError
from mixqual.evaluation import Verdicts, with_temperature
from mixqual.networks import Mixture
from mixqual.runtime import place, set_up_machine

_BATCH = 32


@final
@dataclass(frozen=True)
class Prediction:
    """What a mixture says of one image."""

    class_name: str
    confidence: float
    """The probability of that class."""
    verdict: str | None
    """ "usable", "doubtful" or "retake": whether the answer is sure enough, by the rule of the
    bundle; None if it has none."""
    probabilities: dict[str, float]
    """Class to the mixture's probability, calibrated by the bundle's temperature if it has one."""
    weights: dict[str, float]
    """Expert to the weight that the gate gives to it."""
    distortion: Estimate
    """What has happened to the image, as far as the gate tells."""


@final
class Predictor:
    """The mixture of a bundle, ready to predict."""

    def __init__(self, manifest: Manifest, mixture: Mixture, device: str = "auto") -> None:
        self.manifest = manifest
        self._device = set_up_machine(RuntimeConfig(device=device)).device
        self._mixture = place(mixture, self._device).eval()

    def predict(self, images: Source | Sequence[Source]) -> list[Prediction]:
        """Predict one image, or several.

        Each is a path, the bytes of a file, a PIL image, an array (H, W, channels) or a tensor
        (channels, H, W), of any size. Raises `DataError` for the first that is no image.
        """
        sources: Sequence[Source]
        if isinstance(images, (str, Path, bytes, Image.Image, np.ndarray, Tensor)):
            sources = [images]
        else:
            sources = images
        found = []
        for result in self.stream(sources):
            if isinstance(result, DataError):
                raise result
            found.append(result)
        return found

    def stream(
        self, images: Iterable[Source], batch_size: int = _BATCH
    ) -> Iterator[Prediction | DataError]:
        """Predict any number of images, one result for each, in order; a bad image is an error."""
        sources = iter(images)
        while batch := list(islice(sources, batch_size)):
            read = [self._read(source) for source in batch]
            good = [pixels for pixels in read if not isinstance(pixels, DataError)]
            answers = iter(self.predict_pixels(batch_of(good)) if good else ())
            for pixels in read:
                yield pixels if isinstance(pixels, DataError) else next(answers)

    def predict_pixels(self, images_BCHW: Tensor) -> list[Prediction]:
        """Predict float images in 0...255 that have the bundle's size already."""
        with torch.inference_mode():
            channels_last = images_BCHW.to(self._device, memory_format=torch.channels_last)
            p_BK, w_BE = self._mixture(channels_last)
        p_BK = p_BK.cpu().numpy()
        trust = self.manifest.trust
        if trust:
            p_BK = with_temperature(p_BK, trust.temperature)
            verdicts = Verdicts(trust.usable, trust.retake).of(p_BK.max(1)).tolist()
        else:
            verdicts = [None] * len(p_BK)
        rows = zip(p_BK.tolist(), w_BE.cpu().tolist(), verdicts, strict=True)
        return [self._prediction(*row) for row in rows]

    def predict_experts(self, images_BCHW: Tensor) -> list[dict[str, dict[str, float]]] | None:
        """What each expert says alone of such images: for each, expert to class to probability.

        Not calibrated: the bundle's temperature is that of the mixture. None if what runs the
        mixture gives no answers of experts.
        """
        with torch.inference_mode():
            channels_last = images_BCHW.to(self._device, memory_format=torch.channels_last)
            p_EBK = expert_probabilities(self._mixture, channels_last).cpu()
        classes, experts = self.manifest.classes, self.manifest.experts
        return [
            {
                expert: dict(zip(classes, p_K, strict=True))
                for expert, p_K in zip(experts, p_EK.tolist(), strict=True)
            }
            for p_EK in p_EBK.unbind(1)
        ]

    def _read(self, source: Source) -> NDArray[np.uint8] | DataError:
        try:
            return pixels_of(source, self.manifest.size, self.manifest.interpolation)
        except DataError as error:
            return error

    def _prediction(
        self, p_K: Sequence[float], w_E: Sequence[float], verdict: str | None
    ) -> Prediction:
        best = max(range(len(p_K)), key=p_K.__getitem__)
        return Prediction(
            class_name=self.manifest.classes[best],
            confidence=p_K[best],
            verdict=verdict,
            probabilities=dict(zip(self.manifest.classes, p_K, strict=True)),
            weights=dict(zip(self.manifest.experts, w_E, strict=True)),
            distortion=estimate_distortion(self.manifest.distortions, w_E),
        )


def load(path: str | Path, device: str = "auto") -> Predictor:
    """Load a bundle that `mixqual export` wrote; raises `BundleError` if it cannot be used."""
    manifest, tensors = read_bundle(Path(path))
    return Predictor(manifest, assemble(manifest, tensors), device)
