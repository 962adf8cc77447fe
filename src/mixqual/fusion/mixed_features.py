"""Optimal weights of mixed features: Eq. 4 where the mixture passes through shared layers.

Then the cross-entropy is not convex in the weights, so there is no certificate as in
`optimal_weights`, and a local optimum is found by SciPy's SLSQP from the best of several starts.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

_TOLERANCE = 1e-8
_STEPS = 60


def minimise_on_simplex(
    value_and_gradient: Callable[[Array], tuple[float, Array]], starts: Sequence[ArrayLike]
) -> tuple[Array, float]:
    """Return weights (E,) with w >= 0 and sum(w) = 1 of low value, and that value.

    `value_and_gradient` maps weights to a value and its gradient (E,). Besides `starts` the
    vertices and the centre of the simplex are tried; the result is never worse than any of them.
    """
    experts = len(np.asarray(starts[0]))
    tried = [np.asarray(start, dtype=np.float64) for start in starts]
    tried += [np.full(experts, 1 / experts), *np.eye(experts)]
    values = [value_and_gradient(weights)[0] for weights in tried]
    best = int(np.argmin(values))
    found = minimize(  # type: ignore[call-overload]
        value_and_gradient,
        tried[best],
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * experts,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"ftol": _TOLERANCE, "maxiter": _STEPS},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    weights /= weights.sum()
    value = value_and_gradient(weights)[0]
    return (weights, value) if value < values[best] else (tried[best], values[best])
