"""A model that predicts: images in, classes with confidence and the experts' weights out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mixqual.confidence import Verdicts
from mixqual.deploy.inputs import (
    Source,
    TensorLike,
    batch_of,
    is_batch,
    pixels_of,
    refuse_fractions,
)
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.quality import Estimate, estimate_distortion
from mixqual.deploy.runner import EXPERT, Answers, Mode, Runner, choose_mode
from mixqual.errors import BundleError, DataError

_BATCH = 32


@final
@dataclass(frozen=True)
class Prediction:
    """What a mixture, or one network alone, says of one image."""

    class_name: str
    confidence: float
    """The probability of that class."""
    verdict: str | None
    """ "usable", "doubtful" or "retake": whether the answer is sure enough, by the rule of the
    bundle; None if it has none, or if one expert alone has answered."""
    probabilities: dict[str, float]
    """Class to the model's probability, calibrated by the bundle's temperature if it has one; those
    of one expert of a mixture are its own."""
    weights: dict[str, float] | None
    """Expert to the weight that the gate gives to it; None of one network alone, without a gate."""
    experts_run: tuple[str, ...]
    """The experts that have looked at the image, or the one network."""
    distortion: Estimate | None
    """What has happened to the image, as far as the gate tells; None where there is none."""


@final
class Predictor:
    """A mixture or a network ready to predict, in one of the modes that its runner has."""

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

    def check(self) -> None:
        """Raise `BundleError` unless the networks answer probe images as the manifest tells."""
        size, experts = self.manifest.size, len(self.manifest.experts)
        noise = np.random.default_rng(0).integers(0, 256, (3, size, size), np.uint8)
        images_BCHW = np.stack([np.full_like(noise, 127), noise])
        try:
            found = self._runner(images_BCHW, Mode())
        except Exception as error:  # each library fails in its own ways
            reason = (str(error).splitlines() or [""])[0]
            raise BundleError(
                f"its network cannot be run ({type(error).__name__}: {reason}); export it again"
            ) from None
        expected = (2, len(self.manifest.classes)), (2, experts)
        if (found.p_BK.shape, found.weights_BE.shape) != expected:
            raise BundleError(
                f"its network answers with {found.p_BK.shape[1:]} probabilities and "
                f"{found.weights_BE.shape[1:]} weights, not as its manifest says; export it again"
            )
        _refuse_nonsense(found)

    def predict(self, images: Source | Sequence[Source]) -> list[Prediction]:
        """Predict one image, or several.

        Each is a path, the bytes of a file, a PIL image, an array (H, W, channels) or a tensor
        (channels, H, W), of any size; an array or tensor with one axis more is several of them.
        Raises `DataError` for the first that is no image.
        """
        sources: Sequence[Source]
        if is_batch(images):
            sources = list(images)  # type: ignore[arg-type]
        elif isinstance(images, (str, Path, bytes, Image.Image, np.ndarray, TensorLike)):
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
        """Predict images that have the bundle's size already: uint8, or numbers in 0...255.

        Raises `DataError` for fractions in 0...1, which are on another scale, and `BundleError` if
        the networks answer with what is no number.
        """
        images = np.asarray(images_BCHW)
        refuse_fractions(images)
        return self.predict_distorted(images)

    def predict_distorted(self, images_BCHW: ArrayLike) -> list[Prediction]:
        """Predict such images as distortions return them: dark ones may be fractions below 1."""
        answers = self._runner(np.asarray(images_BCHW), self.mode)
        _refuse_nonsense(answers)
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
        answers of single experts, or has none.
        """
        if EXPERT not in self._runner.modes or not self.manifest.is_mixture:
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
        experts, gated = self.manifest.experts, self.manifest.is_mixture
        return Prediction(
            class_name=self.manifest.classes[best],
            confidence=p_K[best],
            verdict=verdict,
            probabilities=dict(zip(self.manifest.classes, p_K, strict=True)),
            weights=dict(zip(experts, w_E, strict=True)) if gated else None,
            experts_run=tuple(name for name, run in zip(experts, run_E, strict=True) if run),
            distortion=estimate_distortion(self.manifest.distortions, w_E) if gated else None,
        )


def _refuse_nonsense(answers: Answers) -> None:
    if not (np.isfinite(answers.p_BK).all() and np.isfinite(answers.weights_BE).all()):
        raise BundleError(
            "its network gives answers that are not finite: its weights are damaged, or its "
            "training diverged; export it again from a sound run"
        )
