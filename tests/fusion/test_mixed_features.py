from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.fusion import minimise_on_simplex, objective, solve

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]


def assert_on_simplex(weights: Array) -> None:
    assert np.all(weights >= 0)
    assert np.all(weights <= 1)
    np.testing.assert_allclose(weights.sum(), 1, rtol=0, atol=1e-9)


def cross_entropy(p_NE: Array) -> Function:
    """The convex problem of mixed probabilities, which `solve` solves with a certificate."""

    def value_and_gradient(weights: Array) -> tuple[float, Array]:
        mixed_N = p_NE @ weights
        return float(-np.log(mixed_N).mean()), -(p_NE / mixed_N[:, None]).mean(0)

    return value_and_gradient


@pytest.mark.parametrize("experts", range(2, 7))
@pytest.mark.parametrize("images", [1, 4, 50, 400])
@pytest.mark.parametrize("shape", [(0.5, 0.5), (5.0, 1.0)], ids=str)
def test_a_convex_problem_is_solved_as_with_a_certificate(
    experts: int, images: int, shape: tuple[float, float]
) -> None:
    generator = np.random.default_rng(100 * experts + images)
    p_NE = generator.beta(*shape, size=(images, experts)) * 0.99 + 0.01
    weights, value = minimise_on_simplex(cross_entropy(p_NE), [np.full(experts, 1 / experts)])
    assert_on_simplex(weights)
    assert value == pytest.approx(objective(p_NE, weights), abs=1e-12)
    # The search ends at a step that gains less than 1e-7. Of 400 such problems, that left 1.4e-6
    # in the worst.
    assert value == pytest.approx(objective(p_NE, solve(p_NE).weights), abs=2e-6)


def waves(seed: int, experts: int) -> Function:
    """Some waves across the simplex, with hills and valleys."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(0, 6, (4, experts))
    heights, phases = generator.uniform(0, 2, 4), generator.uniform(0, 6, 4)

    def value_and_gradient(weights: Array) -> tuple[float, Array]:
        angles = directions @ weights + phases
        return float(heights @ np.sin(angles)), directions.T @ (heights * np.cos(angles))

    return value_and_gradient


@settings(deadline=None, max_examples=60, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), experts=st.integers(1, 6), starts=st.integers(1, 3))
def test_the_result_is_never_worse_than_a_start_a_vertex_or_the_centre(
    seed: int, experts: int, starts: int
) -> None:
    function = waves(seed, experts)
    given_starts = np.random.default_rng(seed).dirichlet(np.ones(experts), size=starts)
    weights, value = minimise_on_simplex(function, list(given_starts))
    assert_on_simplex(weights)
    assert value == function(weights)[0]
    tried = [*given_starts, *np.eye(experts), np.full(experts, 1 / experts)]
    assert value <= min(function(each)[0] for each in tried)


@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_a_local_optimum(seed: int) -> None:
    """No small step towards a vertex or away from one gains more than the tolerance."""
    function = waves(seed, 3)
    weights, value = minimise_on_simplex(function, [np.full(3, 1 / 3)])
    for start in np.eye(3):
        for end in (*np.eye(3), weights):
            moved = weights + 1e-3 * (end - start)
            if np.all(moved >= 0) and np.all(moved <= 1):
                moved = moved / moved.sum()
                assert function(moved)[0] >= value - 1e-5


def test_a_bowl_has_its_lowest_point_where_it_was_put() -> None:
    lowest = np.array([0.2, 0.5, 0.3])

    def bowl(weights: Array) -> tuple[float, Array]:
        return float(((weights - lowest) ** 2).sum()), 2 * (weights - lowest)

    weights, value = minimise_on_simplex(bowl, [[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(weights, lowest, atol=1e-3)
    assert value <= 1e-6


def test_a_slope_leads_to_its_lowest_vertex() -> None:
    slope = np.array([3.0, -1.0, 2.0, 0.0])
    weights, value = minimise_on_simplex(lambda w: (float(slope @ w), slope), [np.full(4, 0.25)])
    np.testing.assert_allclose(weights, [0, 1, 0, 0], atol=1e-9)
    assert value == pytest.approx(-1)


def test_a_far_valley_is_found_from_a_start_within_it() -> None:
    """All is flat but for a hole between two vertices, too narrow to be seen from afar."""
    middle = np.array([0.8, 0.2, 0.0])

    def function(weights: Array) -> tuple[float, Array]:
        away = weights - middle
        hole = float(np.exp(-(away @ away) / 0.005))
        return -hole, hole * 2 * away / 0.005

    flat = minimise_on_simplex(function, [[0.0, 0.5, 0.5]])
    found = minimise_on_simplex(function, [[0.0, 0.5, 0.5], [0.75, 0.22, 0.03]])
    assert flat[1] > -0.5
    assert found[1] == pytest.approx(-1, abs=1e-3)
    np.testing.assert_allclose(found[0], middle, atol=5e-3)


def test_one_expert_has_all_the_weight() -> None:
    weights, _ = minimise_on_simplex(waves(0, 1), [[1.0]])
    assert weights.tolist() == [1.0]
