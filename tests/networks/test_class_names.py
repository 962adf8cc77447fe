"""Names of classes in files of others, as their exporters write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixqual.networks.class_names import class_names


@given(
    st.lists(st.text(max_size=9), min_size=1, max_size=12), st.sampled_from(["names", "id2label"])
)
def test_names_are_read_in_every_form_that_is_written(names: list[str], key: str) -> None:
    numbered = dict(enumerate(names))
    for value in (json.dumps(names), json.dumps(numbered), str(numbered), repr(names), numbered):
        assert class_names({"task": "classify", key: value}) == tuple(names)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"names": ""},
        {"names": "cat, dog"},
        {"names": "{1: 'cat', 2: 'dog'}"},
        {"names": "[1, 2]"},
        {"names": "[]"},
        {"names": "__import__('os')"},
        {"author": "['cat']"},
    ],
)
def test_nothing_else_is_taken_for_names(metadata: dict[str, str]) -> None:
    assert class_names(metadata) is None
