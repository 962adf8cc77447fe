"""How far an answer can be trusted: honest probabilities, and verdicts by them.

Probabilities are (image, class); a confidence is the highest probability of an image.
`evaluation.calibration` finds the temperature and the verdicts that are used here.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

PROBABILITY_FLOOR = 1e-12
"""What a probability counts as at least in a logarithm, so that one wrong zero is not infinite."""


def with_temperature(p_NK: Floats, temperature: float) -> NDArray[np.float64]:
    """Probabilities to the power of 1 / temperature, made to sum to one.

    Above 1 they become less sure; their order never changes (Guo et al., ICML 2017).
    """
    log_NK = np.log(np.maximum(p_NK.astype(np.float64), PROBABILITY_FLOOR)) / temperature
    scaled_NK: NDArray[np.float64] = np.exp(log_NK - log_NK.max(1, keepdims=True))
    scaled_NK /= scaled_NK.sum(1, keepdims=True)
    return scaled_NK


@final
@dataclass(frozen=True)
class Verdicts:
    """Confidences that part usable answers, doubtful ones, and images to take again."""

    usable: float
    """An answer at least this sure is usable; above 1 none is."""
    retake: float
    """An image whose answer is less sure than this should be taken again; at 0 none should."""

    def of(self, confidence_N: Floats) -> NDArray[np.str_]:
        """Usable, doubtful or retake, in these words; a confidence that is both is usable."""
        low_N = np.where(confidence_N < self.retake, "retake", "doubtful")
        return np.where(confidence_N >= self.usable, "usable", low_N)
