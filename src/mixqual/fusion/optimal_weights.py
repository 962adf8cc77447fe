"""The optimal weights of the experts (paper, Eq. 4), and what the gate is to predict.

With w >= 0 and sum(w) = 1, minimising the cross-entropy of the mixture is the convex problem of
mixture proportions: only the probabilities of the true class matter. Expectation-maximisation
solves all problems of one size at once; where it crawls (a weight that vanishes slowly), Newton
steps finish the problem. Every solution carries a bound on its distance from
the optimum.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from mixqual.errors import MixqualError

Array = NDArray[np.float64]

TOLERANCE = 1e-9
_EM_STEPS = 300
_NEWTON_STEPS = 100


@final
@dataclass(frozen=True)
class Solution:
    """Optimal weights, with their certificate."""

    weights: Array
    """Shape (..., E): at least 0, sum one."""
    gap: Array
    """Shape (...): the mean cross-entropy is at most this far above the optimum."""

    @property
    def converged(self) -> bool:
        """Whether every gap is below `TOLERANCE`."""
        return bool(np.all(self.gap <= TOLERANCE))


def optimal_weights(p_NE: ArrayLike) -> Array:
    """Return the weights w_E that minimise -mean(log(p_NE @ w_E)) over the simplex.

    `p_NE` holds the probability of the true class: images x experts, in [0, 1]; leading axes make
    several problems. Images with no chance under any expert are alike for all weights and do not
    count. Raises `MixqualError` for probabilities out of range.
    """
    return solve(p_NE).weights


def solve(p_NE: ArrayLike) -> Solution:
    """Like `optimal_weights`, with the certificate of optimality."""
    p = np.asarray(p_NE, dtype=np.float64)
    if p.ndim < 2 or 0 in p.shape:
        raise MixqualError(f"probabilities must have shape (..., images, experts), not {p.shape}")
    if not np.all((p >= 0) & (p <= 1 + 1e-6)):  # NaN fails, too
        raise MixqualError("probabilities must lie in [0, 1]")
    # Below the smallest normal number, p / (p . w) overflows: no chance at all.
    problems = np.where(p < np.finfo(p.dtype).tiny, 0.0, p).reshape(-1, *p.shape[-2:])
    weights = _expectation_maximisation(problems)
    gaps = _gap(problems, weights)
    for index in np.flatnonzero(gaps > TOLERANCE):
        weights[index] = _newton(problems[index], weights[index])
    gaps = _gap(problems, weights)
    return Solution(weights.reshape(*p.shape[:-2], p.shape[-1]), gaps.reshape(p.shape[:-2]))


def objective(p_NE: Array, w_E: Array) -> float:
    """Mean cross-entropy of the mixture over the images that any expert gives a chance."""
    possible = p_NE[p_NE.max(-1) > 0]
    return float(-np.log(possible @ w_E).mean()) if len(possible) else 0.0


def _ratios(p: Array, weights: Array) -> tuple[Array, Array]:
    """p / (p . w), zero for impossible images, and the mean of it over the possible ones."""
    mixed = np.einsum("...ne,...e->...n", p, weights)
    possible = p.max(-1) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(possible[..., None], p / mixed[..., None], 0.0)
    counts = np.maximum(possible.sum(-1), 1)
    return ratios, ratios.sum(-2) / counts[..., None]


def _expectation_maximisation(p: Array) -> Array:
    weights = np.full((len(p), p.shape[-1]), 1 / p.shape[-1])
    for _ in range(_EM_STEPS):
        _, gradient = _ratios(p, weights)
        impossible = gradient.max(-1) == 0  # no image counts: any weights are optimal
        if np.all(impossible | (np.log(np.maximum(gradient.max(-1), 1.0)) <= TOLERANCE)):
            break
        weights = np.where(impossible[:, None], weights, weights * gradient)
        weights /= weights.sum(-1, keepdims=True)
    return weights


def _gap(p: Array, weights: Array) -> Array:
    """Jensen's bound: no weights are better by more than log(max_k mean(p_k / (p . w)))."""
    _, gradient = _ratios(p, weights)
    gaps: Array = np.log(np.maximum(gradient.max(-1), 1.0))
    return gaps


def _newton(p_NE: Array, w_E: Array) -> Array:
    """Newton's method on f(w) = sum(w) - mean(log(p . w)), w >= 0, whose optimum sums to one.

    Each step minimises the quadratic model under w >= 0, a least-squares problem of E unknowns,
    and is halved until it gains.
    """
    p_NE = p_NE[p_NE.max(-1) > 0]

    def value(w: Array) -> float:
        mixed_N = p_NE @ w
        return float(w.sum() - np.log(mixed_N).mean()) if np.all(mixed_N > 0) else np.inf

    for _ in range(_NEWTON_STEPS):
        scaled_NE = p_NE / (p_NE @ w_E)[:, None]
        mean_E = scaled_NE.mean(0)
        if np.log(max(float(mean_E.max()), 1.0)) <= TOLERANCE / 10:
            break
        hessian_EE = scaled_NE.T @ scaled_NE / len(p_NE)
        # Equal experts make it singular; a trace's rounding keeps its root real.
        hessian_EE[np.diag_indices_from(hessian_EE)] += 1e-13 * np.trace(hessian_EE)
        root_EE = np.linalg.cholesky(hessian_EE)
        # scaled . w = 1, so that the model in w itself has the slope 1 - 2 mean(scaled) at zero.
        model_E, _ = nnls(root_EE.T, np.linalg.solve(root_EE, 2 * mean_E - 1))
        # Near the optimum the gain drowns in rounding, while the step is right: allow for that.
        start, length = value(w_E) + 1e-14, 1.0
        while value(w_E + length * (model_E - w_E)) > start and length > 1e-12:
            length /= 2
        if length <= 1e-12:
            break
        w_E = w_E + length * (model_E - w_E)
    weights_E: Array = w_E / w_E.sum()
    return weights_E


def interpolate_weights(levels: ArrayLike, weights_VE: Array, at_B: ArrayLike) -> Array:
    """Weights at any level, linear between those of the neighbouring grid levels.

    `levels` increase, or fall, from the clean one and have one row of `weights_VE` each; rows of
    the result sum to one.
    """
    weights_VE = np.asarray(weights_VE)
    at, grid = np.asarray(at_B, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    if grid[-1] < grid[0]:
        grid, weights_VE = grid[::-1], weights_VE[::-1]
    columns = [np.interp(at, grid, column) for column in weights_VE.T]
    return np.stack(columns, axis=-1)
