"""A mixture that predicts: images in, classes with confidence and the experts' weights out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mixqual.confidence import Verdicts
from mixqual.deploy.inputs import Source, TensorLike, batch_of, pixels_of
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.quality import Estimate, estimate_distortion
from mixqual.deploy.runner import EXPERT, Mode, Runner, choose_mode
from mixqual.errors import BundleError, DataError

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
    bundle; None if it has none, or if one expert alone has answered."""
    probabilities: dict[str, float]
    """Class to the mixture's probability, calibrated by the bundle's temperature if it has one; one
    expert's are its own."""
    weights: dict[str, float]
    """Expert to the weight that the gate gives to it."""
    experts_run: tuple[str, ...]
    """The experts that have looked at the image."""
    distortion: Estimate
    """What has happened to the image, as far as the gate tells."""


@final
class Predictor:
    """A mixture ready to predict, in one of the modes that its runner has."""

    def __init__(self, manifest: Manifest, runner: Runner, mode: Mode | None = None) -> None:
        self.manifest = manifest
        self.mode = mode or Mode()
        self._runner = runner

    def using(
        self, mode: str | None = None, *, tau: float | None = None, expert: str | None = None
    ) -> "Predictor":
        """The same networks in another mode: "full", "conditional" or "expert".

        Without its name it is that of the threshold `tau`, or of the expert, that is given. Raises
        `BundleError` for a mode that does not fit the settings, the mixture or its file.
        """
        chosen = choose_mode(self.manifest, mode, tau, expert)
        if chosen.name not in self._runner.modes:
            raise BundleError(
                f"the mode {chosen.name} cannot be had from this file, which runs "
                f"{', '.join(self._runner.modes)}; export it again for the others"
            )
        return Predictor(self.manifest, self._runner, chosen)

    def predict(self, images: Source | Sequence[Source]) -> list[Prediction]:
        """Predict one image, or several.

        Each is a path, the bytes of a file, a PIL image, an array (H, W, channels) or a tensor
        (channels, H, W), of any size. Raises `DataError` for the first that is no image.
        """
        sources: Sequence[Source]
        if isinstance(images, (str, Path, bytes, Image.Image, np.ndarray, TensorLike)):
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

    def predict_pixels(self, images_BCHW: ArrayLike) -> list[Prediction]:
        """Predict images that have the bundle's size already: uint8, or numbers in 0...255."""
        answers = self._runner(np.asarray(images_BCHW), self.mode)
        trust = self.manifest.trust
        if trust and self.mode.name != EXPERT:
            verdicts = Verdicts(trust.usable, trust.retake).of(answers.p_BK.max(1)).tolist()
        else:
            verdicts = [None] * len(answers.p_BK)
        rows = zip(
            answers.p_BK.tolist(),
            answers.weights_BE.tolist(),
            answers.run_BE.tolist(),
            verdicts,
            strict=True,
        )
        return [self._prediction(*row) for row in rows]

    def probabilities(self, images_BCHW: ArrayLike) -> NDArray[np.floating]:
        """The probabilities_BK of such images, calibrated as in a `Prediction`."""
        return self._runner(np.asarray(images_BCHW), self.mode).p_BK

    def predict_experts(self, images_BCHW: ArrayLike) -> list[dict[str, dict[str, float]]] | None:
        """What each expert says alone of such images: for each, expert to class to probability.

        Not calibrated: the bundle's temperature is that of the mixture. None if the file gives no
        answers of single experts.
        """
        if EXPERT not in self._runner.modes:
            return None
        images, experts = np.asarray(images_BCHW), self.manifest.experts
        p_EBK = [self._runner(images, Mode(EXPERT, expert=name)).p_BK for name in experts]
        return [
            {
                expert: dict(zip(self.manifest.classes, p_K, strict=True))
                for expert, p_K in zip(experts, p_EK.tolist(), strict=True)
            }
            for p_EK in np.stack(p_EBK, axis=1)
        ]

    def _read(self, source: Source) -> NDArray[np.uint8] | DataError:
        try:
            return pixels_of(source, self.manifest.size, self.manifest.interpolation)
        except DataError as error:
            return error

    def _prediction(
        self,
        p_K: Sequence[float],
        w_E: Sequence[float],
        run_E: Sequence[bool],
        verdict: str | None,
    ) -> Prediction:
        best = max(range(len(p_K)), key=p_K.__getitem__)
        experts = self.manifest.experts
        return Prediction(
            class_name=self.manifest.classes[best],
            confidence=p_K[best],
            verdict=verdict,
            probabilities=dict(zip(self.manifest.classes, p_K, strict=True)),
            weights=dict(zip(experts, w_E, strict=True)),
            experts_run=tuple(name for name, run in zip(experts, run_E, strict=True) if run),
            distortion=estimate_distortion(self.manifest.distortions, w_E),
        )
