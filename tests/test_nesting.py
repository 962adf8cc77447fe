from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from mixqual.nesting import MOST_LEVELS, too_deep

VALUES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


def wrapped(value: object, levels: int) -> object:
    return reduce(lambda inner, level: [inner] if level % 2 else {"x": inner}, range(levels), value)


@given(st.integers(0, 3 * MOST_LEVELS))
def test_the_border_is_where_it_is_said(levels: int) -> None:
    assert too_deep(wrapped(1, levels)) == (levels > MOST_LEVELS)


@given(VALUES)
def test_ordinary_values_are_taken(value: object) -> None:
    assert not too_deep(value)


def test_no_depth_is_a_recursion() -> None:
    assert too_deep(wrapped(1, 100_000))
