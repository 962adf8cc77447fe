import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import minimize

from mixqual.errors import MixqualError
from mixqual.fusion import interpolate_weights, objective, optimal_weights, solve
from mixqual.fusion.optimal_weights import TOLERANCE

Array = NDArray[np.float64]


def slsqp(p_NE: Array) -> float:
    """The lowest objective that SciPy's general optimiser finds."""
    experts = p_NE.shape[1]
    result = minimize(  # type: ignore[call-overload]
        lambda w: -np.log(p_NE @ w).mean(),
        np.full(experts, 1 / experts),
        jac=lambda w: -(p_NE / (p_NE @ w)[:, None]).mean(0),
        bounds=[(0, 1)] * experts,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    # It may leave the simplex by a little.
    weights = np.clip(result.x, 0, None)
    return objective(p_NE, weights / weights.sum())


def beta(
    seed: int, images: int, experts: int, shape: tuple[float, float] = (0.5, 0.5)
) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    return np.clip(generator.beta(*shape, size=(images, experts)), 1e-12, 1.0)


def softmax_chances(seed: int, images: int, experts: int, classes: int) -> NDArray[np.float32]:
    """The chances of the true class, from logits of experts that are right more or less often."""
    generator = np.random.default_rng(seed)
    logits_ENK = generator.normal(0, 2, (experts, images, classes))
    labels_N = generator.integers(0, classes, images)
    logits_ENK[:, np.arange(images), labels_N] += np.linspace(0.5, 4, experts)[:, None]
    odds_ENK = np.exp((logits_ENK - logits_ENK.max(2, keepdims=True)).astype(np.float32))
    chances_ENK = odds_ENK / odds_ENK.sum(2, keepdims=True)
    true_NE: NDArray[np.float32] = chances_ENK[:, np.arange(images), labels_N].T
    return true_NE


def assert_on_simplex(weights: Array) -> None:
    assert np.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=0, atol=1e-12)


# Against SciPy


@pytest.mark.parametrize("experts", range(2, 9))
@pytest.mark.parametrize("images", [1, 3, 20, 300])
@pytest.mark.parametrize("shape", [(0.5, 0.5), (0.1, 1.0), (5.0, 1.0)], ids=str)
def test_the_objective_is_that_of_slsqp(
    images: int, experts: int, shape: tuple[float, float]
) -> None:
    p_NE = beta(images + experts, images, experts, shape)
    weights = optimal_weights(p_NE)
    assert_on_simplex(weights)
    assert objective(p_NE, weights) == pytest.approx(slsqp(p_NE), rel=0, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_real_chances_are_solved_as_slsqp_does(seed: int) -> None:
    p_NE = softmax_chances(seed, 1500, 3, 10)
    assert p_NE.dtype == np.float32
    solution = solve(p_NE)
    assert solution.converged
    assert_on_simplex(solution.weights)
    exact_NE = p_NE.astype(np.float64)
    assert objective(exact_NE, solution.weights) == pytest.approx(slsqp(exact_NE), abs=1e-6)
    # The better an expert, the more it weighs, and all of them serve.
    assert np.all(np.diff(solution.weights) > 0)


# The certificate


chances = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 1e-45, 1e-12]), st.floats(0, 1, allow_subnormal=True)
)


@settings(deadline=None, max_examples=300)
@given(
    p_NE=arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=chances),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_weights_beat_the_certificate(p_NE: Array, seed: int) -> None:
    solution = solve(p_NE)
    assert solution.converged
    assert 0 <= solution.gap <= TOLERANCE
    assert_on_simplex(solution.weights)
    # Chances too small for a normal number count as none.
    p_NE = np.where(p_NE < np.finfo(np.float64).tiny, 0.0, p_NE)
    ours = objective(p_NE, solution.weights)
    others = np.random.default_rng(seed).dirichlet(np.full(p_NE.shape[1], 0.5), size=50)
    with np.errstate(divide="ignore"):
        best = min(objective(p_NE, w_E) for w_E in [*others, *np.eye(p_NE.shape[1])])
    assert best >= ours - float(solution.gap) - 1e-12


@pytest.mark.parametrize(("experts", "steps"), [(2, 1000), (3, 100)])
@pytest.mark.parametrize("images", [1, 4, 40])
def test_no_point_of_a_grid_is_better(experts: int, steps: int, images: int) -> None:
    p_NE = beta(images, images, experts)
    corners = range(steps + 1)
    points: list[tuple[int, ...]] = [(a, steps - a) for a in corners]
    if experts == 3:
        points = [(a, b, steps - a - b) for a in corners for b in range(steps + 1 - a)]
    grid = np.array(points) / steps
    values = -np.log(p_NE @ grid.T).mean(0)
    solution = solve(p_NE)
    ours = objective(p_NE, solution.weights)
    assert values.min() >= ours - TOLERANCE
    # Nor is the grid's best far above it, or away from it.
    assert values.min() <= ours + 0.01
    np.testing.assert_allclose(grid[values.argmin()], solution.weights, atol=0.06)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 60), experts=st.integers(2, 8))
def test_the_gap_bounds_the_distance_of_any_weights(seed: int, images: int, experts: int) -> None:
    # The bound itself, where it is not zero: at weights that are not optimal.
    p_NE = beta(seed, images, experts)
    w_E = np.random.default_rng(seed).dirichlet(np.ones(experts))
    bound = np.log((p_NE / (p_NE @ w_E)[:, None]).mean(0).max())
    excess = objective(p_NE, w_E) - objective(p_NE, optimal_weights(p_NE))
    assert -TOLERANCE <= excess <= bound + 1e-12


# Problems with a known solution


def test_an_expert_that_is_always_right_gets_all_the_weight() -> None:
    p_NE = beta(0, 200, 4)
    p_NE[:, 2] = 1.0
    np.testing.assert_allclose(optimal_weights(p_NE), [0, 0, 1, 0], atol=1e-7)


def test_an_expert_without_any_chance_gets_no_weight() -> None:
    p_NE = beta(1, 100, 3)
    p_NE[:, 1] = 0.0
    weights = optimal_weights(p_NE)
    assert weights[1] == 0
    others = optimal_weights(p_NE[:, [0, 2]])
    np.testing.assert_allclose(weights[[0, 2]], others, atol=1e-4)


def test_experts_that_are_each_right_alone_are_weighted_by_how_often() -> None:
    # Maximum likelihood of proportions: 3, 1 and 6 of 10 images.
    p_NE = np.repeat(np.eye(3), [3, 1, 6], axis=0)
    np.testing.assert_allclose(optimal_weights(p_NE), [0.3, 0.1, 0.6], atol=1e-9)
    np.testing.assert_allclose(optimal_weights(p_NE / 8), [0.3, 0.1, 0.6], atol=1e-9)


def test_two_experts_with_an_optimum_by_hand() -> None:
    # -log(0.8 w + 0.2 (1 - w)) - log(0.3 w + 0.6 (1 - w)) has its minimum where
    # 0.6 / (0.2 + 0.6 w) = 0.3 / (0.6 - 0.3 w): w = 5/6.
    np.testing.assert_allclose(optimal_weights([[0.8, 0.2], [0.3, 0.6]]), [5 / 6, 1 / 6], atol=1e-4)


def test_equal_experts_share_their_weight() -> None:
    p_NE = beta(2, 100, 2)
    twins_NE = np.column_stack([p_NE[:, 0], p_NE])
    weights = optimal_weights(twins_NE)
    assert_on_simplex(weights)
    assert objective(twins_NE, weights) == pytest.approx(
        objective(p_NE, optimal_weights(p_NE)), abs=2 * TOLERANCE
    )
    all_alike = solve(np.repeat(p_NE[:, :1], 4, axis=1))
    assert all_alike.converged
    np.testing.assert_allclose(all_alike.weights, 0.25, atol=1e-12)


def test_one_image_goes_to_the_expert_that_knows_it_best() -> None:
    np.testing.assert_allclose(optimal_weights([[0.2, 0.9, 0.5]]), [0, 1, 0], atol=1e-8)


def test_one_expert_has_weight_one() -> None:
    solution = solve(beta(0, 5, 1))
    assert solution.weights.tolist() == [1.0]
    assert solution.converged


def test_images_without_any_chance_do_not_count() -> None:
    p_NE = beta(3, 50, 3)
    padded_NE = np.zeros((81, 3))
    padded_NE[30:80] = p_NE
    np.testing.assert_allclose(optimal_weights(padded_NE), optimal_weights(p_NE), atol=1e-9)
    assert objective(padded_NE, np.full(3, 1 / 3)) == objective(p_NE, np.full(3, 1 / 3))


def test_without_any_chance_at_all_every_expert_weighs_the_same() -> None:
    solution = solve(np.zeros((4, 3)))
    np.testing.assert_allclose(solution.weights, 1 / 3)
    assert solution.converged
    assert objective(np.zeros((4, 3)), solution.weights) == 0.0


def test_chances_that_no_normal_number_holds_count_as_none() -> None:
    solution = solve([[5e-324, 0], [1e-310, 0], [0, 0.5]])
    np.testing.assert_allclose(solution.weights, [0, 1], atol=1e-9)


def test_a_rounding_error_above_one_is_allowed() -> None:
    assert_on_simplex(optimal_weights(np.array([[1.0000001, 0.5], [0.2, 0.9]], dtype=np.float32)))


# Several problems at once


def test_problems_solved_together_are_solved_as_each_alone() -> None:
    problems: Array = np.stack(
        [softmax_chances(0, 400, 3, 5).astype(np.float64)]
        + [beta(seed, 400, 3, (0.3, 0.3)) for seed in range(4)]
        + [np.repeat(np.eye(3), [100, 100, 200], axis=0)]
    ).reshape(2, 3, 400, 3)
    together = solve(problems)
    assert together.weights.shape == (2, 3, 3)
    assert together.gap.shape == (2, 3)
    assert together.converged
    for place in np.ndindex(2, 3):
        alone = solve(problems[place])
        assert alone.gap.shape == ()
        # The objective is flat near its minimum: equal to the tolerance, the weights to its root.
        assert objective(problems[place], together.weights[place]) == pytest.approx(
            objective(problems[place], alone.weights), abs=TOLERANCE
        )
        np.testing.assert_allclose(together.weights[place], alone.weights, atol=2e-4)


def test_the_order_of_images_and_experts_does_not_matter() -> None:
    p_NE = softmax_chances(5, 600, 4, 8)
    weights = optimal_weights(p_NE)
    shuffle = np.random.default_rng(0).permutation(600)
    np.testing.assert_allclose(optimal_weights(p_NE[shuffle][:, ::-1]), weights[::-1], atol=1e-4)


def test_the_input_is_not_changed() -> None:
    p_NE = np.array([[5e-324, 0.2], [0.3, 0.4]])
    before = p_NE.copy()
    solve(p_NE)
    np.testing.assert_array_equal(p_NE, before)


# Bad input


@pytest.mark.parametrize(
    "p_NE",
    [
        [0.5, 0.5],
        0.5,
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((0, 4, 3)),
    ],
    ids=["one axis", "a number", "no images", "no experts", "no problems"],
)
def test_a_wrong_shape_is_refused(p_NE: Array) -> None:
    with pytest.raises(MixqualError, match=r"must have shape \(\.\.\., images, experts\), not \("):
        optimal_weights(p_NE)


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf, -np.inf])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    p_NE = beta(0, 5, 3)
    p_NE[3, 1] = bad
    with pytest.raises(MixqualError, match=r"must lie in \[0, 1\]"):
        optimal_weights(p_NE)


# Between the levels

GRID = (0.0, 1.0, 2.5, 10.0)
ROWS = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.0, 0.0, 1.0]])


def test_weights_at_a_grid_level_are_its_own() -> None:
    np.testing.assert_array_equal(interpolate_weights(GRID, ROWS, GRID), ROWS)


def test_weights_between_levels_are_linear() -> None:
    between = interpolate_weights(GRID, ROWS, [0.5, 1.75, 2.8])
    # 2.8 is 4 % of the way from 2.5 to 10.
    expected = [[0.75, 0.15, 0.1], [0.3, 0.2, 0.5], [0.096, 0.096, 0.808]]
    np.testing.assert_allclose(between, expected, atol=1e-12)


def test_weights_between_falling_levels_are_those_of_the_mirrored_grid() -> None:
    falling = [100 - level for level in GRID]
    at = np.array([0.0, 0.5, 1.75, 2.8, 9.0])
    mirrored = interpolate_weights(falling, ROWS, 100 - at)
    np.testing.assert_allclose(mirrored, interpolate_weights(GRID, ROWS, at), atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.floats(0.01, 100), min_size=1, max_size=10),
    experts=st.integers(1, 6),
    at=st.lists(st.floats(0, 1), min_size=0, max_size=20),
    seed=st.integers(0, 1000),
)
def test_weights_at_any_level_stay_on_the_simplex(
    steps: list[float], experts: int, at: list[float], seed: int
) -> None:
    levels = np.concatenate([[0.0], np.cumsum(steps)])
    rows_VE = np.random.default_rng(seed).dirichlet(np.ones(experts), size=len(levels))
    weights_BE = interpolate_weights(levels, rows_VE, np.array(at) * levels[-1])
    assert weights_BE.shape == (len(at), experts)
    assert_on_simplex(weights_BE)
