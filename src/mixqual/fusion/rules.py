"""How the outputs of experts become one prediction (paper, Eqs. 2 and 3, and its baselines).

`p_EBK` holds the probabilities of every expert; `w_BE` the weights of the experts for each image.
"""

import numpy as np
from numpy.typing import NDArray

from mixqual.errors import MixqualError

Array = NDArray[np.floating]


def average(p_EBK: Array) -> Array:
    """M_avg, Eq. 2: the mean of the experts' probabilities, shape (B, K)."""
    mean_BK: Array = p_EBK.mean(0)
    return mean_BK


def maximum(p_EBK: Array) -> NDArray[np.int64]:
    """M_max: the class (B,) of the highest of all probabilities; on a tie the first expert's first.

    It gives classes alone, as the highest probabilities of each class are none together.
    """
    experts, images, classes = p_EBK.shape
    outputs_BN = p_EBK.transpose(1, 0, 2).reshape(images, experts * classes)
    highest_B: NDArray[np.int64] = outputs_BN.argmax(1) % classes
    return highest_B


def hard_mix(p_EBK: Array, w_BE: Array) -> Array:
    """M_hardmix: the probabilities of the expert with the largest weight; the first on a tie."""
    chosen_B = w_BE.argmax(1)
    chosen_BK: Array = p_EBK[chosen_B, np.arange(p_EBK.shape[1])]
    return chosen_BK


def mix(p_EBK: Array, w_BE: Array) -> Array:
    """M_mix, Eq. 3: the weighted sum of the experts' probabilities, shape (B, K)."""
    mixed_BK: Array = np.einsum("be,ebk->bk", w_BE, p_EBK)
    return mixed_BK


def conditional(p_ENK: Array, w_NE: Array, tau: float) -> tuple[Array, NDArray[np.int64]]:
    """M_mix of the experts whose weight for an image is at least `tau`, and how many these are.

    Their weights are made to sum to one. The highest of an image always passes (all of them, if
    several are equal), and a weight of zero never does. Returns probabilities (N, K) and numbers of
    experts (N,). Raises `MixqualError` for a `tau` outside 0...1.
    """
    if not 0 <= tau <= 1:
        raise MixqualError(f"tau = {tau}: a threshold of weights lies in 0...1")
    least_N1 = np.minimum(w_NE.max(1, keepdims=True), tau)
    kept_NE = np.where(w_NE >= least_N1, w_NE, 0)
    mixed_NK = mix(p_ENK, kept_NE / kept_NE.sum(1, keepdims=True))
    return mixed_NK, np.count_nonzero(kept_NE, axis=1)
