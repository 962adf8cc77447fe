import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixqual.fusion import average, conditional, hard_mix, maximum, mix

# Two experts, three images, two classes.
P_EBK = np.array(
    [
        [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]],
        [[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]],
    ]
)
W_BE = np.array([[0.75, 0.25], [0.5, 0.5], [0.1, 0.9]])

experts_images_classes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(2, 7))


def outputs(shape: tuple[int, int, int], seed: int) -> NDArray[np.float64]:
    experts, images, classes = shape
    return np.random.default_rng(seed).dirichlet(np.ones(classes), size=(experts, images))


def weights(shape: tuple[int, int, int], seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed + 1).dirichlet(np.ones(shape[0]), size=shape[1])


def test_average_by_hand() -> None:
    np.testing.assert_allclose(average(P_EBK), [[0.55, 0.45], [0.45, 0.55], [0.65, 0.35]])


def test_maximum_by_hand() -> None:
    assert maximum(P_EBK).tolist() == [0, 1, 0]


def test_maximum_takes_the_first_of_all_outputs_on_a_tie() -> None:
    """Not the lowest class: the first image is one for class 2 by expert 0, class 1 by expert 1."""
    p_EBK = np.array([[[0, 0, 1], [0.5, 0.5, 0]], [[0, 1, 0], [0.5, 0, 0.5]]], dtype=np.float32)
    assert maximum(p_EBK).tolist() == [2, 0]


def test_mix_by_hand() -> None:
    np.testing.assert_allclose(mix(P_EBK, W_BE), [[0.725, 0.275], [0.45, 0.55], [0.93, 0.07]])


def test_hard_mix_by_hand_takes_the_first_expert_on_a_tie() -> None:
    np.testing.assert_array_equal(hard_mix(P_EBK, W_BE), [[0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])


def test_hard_mix_takes_the_first_of_the_largest_on_a_later_tie() -> None:
    p_EBK = outputs((3, 1, 4), 0)
    np.testing.assert_array_equal(hard_mix(p_EBK, np.array([[0.2, 0.4, 0.4]])), p_EBK[1])


@settings(deadline=None, max_examples=60)
@given(shape=experts_images_classes, seed=st.integers(0, 10**6))
def test_each_rule_against_a_loop(shape: tuple[int, int, int], seed: int) -> None:
    experts, images, classes = shape
    p_EBK, w_BE = outputs(shape, seed), weights(shape, seed)
    for image in range(images):
        rows_EK = p_EBK[:, image]
        best = max(range(experts), key=lambda expert: w_BE[image, expert])
        mean = [sum(rows_EK[:, k]) / experts for k in range(classes)]
        np.testing.assert_allclose(average(p_EBK)[image], mean)
        mixed = [
            sum(w_BE[image, e] * rows_EK[e, k] for e in range(experts)) for k in range(classes)
        ]
        np.testing.assert_allclose(mix(p_EBK, w_BE)[image], mixed)
        np.testing.assert_array_equal(hard_mix(p_EBK, w_BE)[image], rows_EK[best])
        # M_max decides for the class of the largest of all E * K outputs.
        assert (
            maximum(p_EBK)[image]
            == max(
                ((e, k) for e in range(experts) for k in range(classes)), key=lambda at: rows_EK[at]
            )[1]
        )


@settings(deadline=None, max_examples=60)
@given(shape=experts_images_classes, seed=st.integers(0, 10**6))
def test_mixtures_are_probabilities(shape: tuple[int, int, int], seed: int) -> None:
    p_EBK, w_BE = outputs(shape, seed), weights(shape, seed)
    for mixed_BK in (average(p_EBK), mix(p_EBK, w_BE), hard_mix(p_EBK, w_BE)):
        assert mixed_BK.shape == shape[1:]
        assert (mixed_BK >= 0).all()
        np.testing.assert_allclose(mixed_BK.sum(1), 1)


@settings(deadline=None, max_examples=60)
@given(shape=experts_images_classes, seed=st.integers(0, 10**6))
def test_equal_weights_make_mix_the_average(shape: tuple[int, int, int], seed: int) -> None:
    p_EBK = outputs(shape, seed)
    equal_BE = np.full((shape[1], shape[0]), 1 / shape[0])
    np.testing.assert_allclose(mix(p_EBK, equal_BE), average(p_EBK))


@settings(deadline=None, max_examples=60)
@given(shape=experts_images_classes, seed=st.integers(0, 10**6), data=st.data())
def test_all_the_weight_on_one_expert_makes_mix_and_hard_mix_that_expert(
    shape: tuple[int, int, int], seed: int, data: st.DataObject
) -> None:
    p_EBK = outputs(shape, seed)
    chosen_B = data.draw(
        st.lists(st.integers(0, shape[0] - 1), min_size=shape[1], max_size=shape[1])
    )
    one_hot_BE = np.eye(shape[0])[chosen_B]
    expected_BK = np.stack([p_EBK[expert, image] for image, expert in enumerate(chosen_B)])
    np.testing.assert_array_equal(mix(p_EBK, one_hot_BE), expected_BK)
    np.testing.assert_array_equal(hard_mix(p_EBK, one_hot_BE), expected_BK)


@pytest.mark.parametrize("experts", [1, 3])
def test_experts_that_agree_make_every_rule_agree(experts: int) -> None:
    one_BK = outputs((1, 5, 4), 3)[0]
    p_EBK = np.stack([one_BK] * experts)
    w_BE = weights(p_EBK.shape, 0)
    for fused_BK in (average(p_EBK), mix(p_EBK, w_BE), hard_mix(p_EBK, w_BE)):
        np.testing.assert_allclose(fused_BK, one_BK)
    assert maximum(p_EBK).tolist() == one_BK.argmax(1).tolist()


def test_conditional_by_hand() -> None:
    """Below 0.2 the third image loses its first expert; below 0.3 the first image its second."""
    for tau, experts, rows in (
        (0.1, [2, 2, 2], [[0.725, 0.275], [0.45, 0.55], [0.93, 0.07]]),
        (0.2, [2, 2, 1], [[0.725, 0.275], [0.45, 0.55], [1.0, 0.0]]),
        (0.3, [1, 2, 1], [[0.9, 0.1], [0.45, 0.55], [1.0, 0.0]]),
    ):
        p_NK, experts_N = conditional(P_EBK, W_BE, tau)
        np.testing.assert_allclose(p_NK, rows)
        assert experts_N.tolist() == experts


def test_conditional_gives_those_that_are_left_their_share_of_one() -> None:
    p_ENK = np.eye(3)[:, None]  # each expert is sure of a class of its own
    p_NK, experts_N = conditional(p_ENK, np.array([[0.5, 0.3, 0.2]]), 0.25)
    np.testing.assert_allclose(p_NK, [[0.625, 0.375, 0]])
    assert experts_N.tolist() == [2]


@settings(deadline=None, max_examples=60)
@given(shape=experts_images_classes, seed=st.integers(0, 10**6), tau=st.floats(0, 1))
def test_conditional_lies_between_mix_and_hard_mix(
    shape: tuple[int, int, int], seed: int, tau: float
) -> None:
    p_EBK, w_BE = outputs(shape, seed), weights(shape, seed)
    all_NK, everyone_N = conditional(p_EBK, w_BE, 0)
    np.testing.assert_allclose(all_NK, mix(p_EBK, w_BE))
    assert (everyone_N == np.count_nonzero(w_BE, axis=1)).all()
    one_NK, single_N = conditional(p_EBK, w_BE, 1)
    np.testing.assert_allclose(one_NK, hard_mix(p_EBK, w_BE))
    assert (single_N == 1).all()
    p_NK, experts_N = conditional(p_EBK, w_BE, tau)
    np.testing.assert_allclose(p_NK.sum(1), 1)
    assert ((single_N <= experts_N) & (experts_N <= everyone_N)).all()
    fewer_N = conditional(p_EBK, w_BE, min(1, tau + 0.1))[1]
    assert (fewer_N <= experts_N).all()
