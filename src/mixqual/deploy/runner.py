"""What computes the answers of a mixture, in whatever it is written, and which experts it runs."""

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy.manifest import Manifest
from mixqual.errors import BundleError

FULL, CONDITIONAL, EXPERT = "full", "conditional", "expert"
MODES = (FULL, CONDITIONAL, EXPERT)


@final
@dataclass(frozen=True)
class Mode:
    """Which experts of a mixture run: all, those with a weight of at least `tau`, or one."""

    name: str = FULL
    """"full", "conditional" or "expert"."""
    tau: float | None = None
    """Of "conditional": the threshold of weights."""
    expert: str | None = None
    """Of "expert": its name."""


def choose_mode(
    manifest: Manifest, name: str | None, tau: float | None, expert: str | None
) -> Mode:
    """The mode that a user asks for; without a name that of the threshold or expert given.

    A conditional mode takes the threshold that the manifest names unless another is given. Raises
    `BundleError` for an unknown mode or expert, for settings of another mode, for a threshold
    outside 0...1, for none where the manifest has none, and for a mode of mixtures if it is none.
    """
    if name is None:
        name = EXPERT if expert is not None else CONDITIONAL if tau is not None else FULL
    if name not in MODES:
        raise BundleError(f"there is no mode {name!r}; the modes are {', '.join(MODES)}")
    if tau is not None and name != CONDITIONAL:
        raise BundleError(f"a threshold (tau = {tau:g}) is for the mode conditional, not {name}")
    if expert is not None and name != EXPERT:
        raise BundleError(f"one expert ({expert!r}) is for the mode expert, not {name}")
    if name != FULL and not manifest.is_mixture:
        raise BundleError(
            f"the mode {name} is for mixtures, and {manifest.model!r} is one network, which runs "
            "as a whole; leave mode, tau and expert away"
        )
    if name == CONDITIONAL:
        return Mode(name, tau=_threshold(manifest, tau))
    if name == EXPERT and expert not in manifest.experts:
        known = ", ".join(manifest.experts)
        asked = "none was named" if expert is None else f"there is no expert {expert!r}"
        raise BundleError(f"the mode expert needs one by its name: {asked}; they are {known}")
    return Mode(name, expert=expert)


def _threshold(manifest: Manifest, tau: float | None) -> float:
    if tau is None and manifest.threshold is None:
        raise BundleError(
            f"the mode conditional needs a threshold (tau), as the study of {manifest.model!r} "
            "chose none; give one in 0...1, such as 0.1"
        )
    if tau is None:
        assert manifest.threshold is not None
        return manifest.threshold.tau
    if not 0 <= tau <= 1:
        raise BundleError(f"tau = {tau:g}: a threshold of weights lies in 0...1")
    return tau


@final
@dataclass(frozen=True)
class Answers:
    """What a mixture, or one network, says of B images, in numbers."""

    p_BK: NDArray[np.floating]
    """Probabilities; those of a mixture are calibrated, those of an expert are its own."""
    weights_BE: NDArray[np.floating]
    """What the gate makes of the images, whichever experts have run; ones where there is none."""
    run_BE: NDArray[np.bool_]
    """Which experts have run on each image."""


class Runner(Protocol):
    """A mixture ready to run: from images (B, 3, size, size) to answers.

    Images are uint8, or numbers in 0...255.
    """

    modes: tuple[str, ...]
    """The names of the modes that it can run."""

    def __call__(self, images_BCHW: NDArray[Any], mode: Mode) -> Answers:
        """Answer for each image."""
