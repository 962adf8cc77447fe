"""Which class is taken for which."""

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(
    answers_N: NDArray[np.int64], labels_N: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count answers: row (true class), column (answer); both arrays hold classes from 0 on."""
    pairs_N = labels_N * classes + answers_N
    return np.bincount(pairs_N, minlength=classes**2).reshape(classes, classes)
