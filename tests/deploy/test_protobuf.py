"""Messages of protobuf: against the library that ONNX brings, and there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorProto

from mixqual.deploy.protobuf import bytes_field, fields

MESSAGES = st.lists(st.tuples(st.integers(1, 2**29 - 1), st.binary(max_size=300)), max_size=6)


@given(MESSAGES)
def test_what_is_written_is_told_apart(message: list[tuple[int, bytes]]) -> None:
    content = b"".join(bytes_field(number, value) for number, value in message)
    for form in (content, memoryview(content)):
        found = list(fields(form))
        assert [(number, bytes(form[start:stop])) for number, _, start, stop in found] == message
        assert [begins for _, begins, _, _ in found] == [0, *(e for *_, e in found)][: len(found)]


@given(st.text(max_size=200), st.text(max_size=200))
def test_it_is_what_the_library_writes(key: str, value: str) -> None:
    entry = StringStringEntryProto(key=key, value=value)
    own = bytes_field(1, key.encode()) + bytes_field(2, value.encode())
    assert StringStringEntryProto.FromString(own) == entry
    # Several values make one field.
    assert bytes_field(1, key.encode(), value.encode()) == bytes_field(1, (key + value).encode())


@given(st.integers(0, 2**31 - 1), st.binary(max_size=300), st.text(max_size=20))
def test_numbers_between_are_passed_over(kind: int, raw: bytes, name: str) -> None:
    """A tensor of ONNX has them in front of its name."""
    content = TensorProto(data_type=kind, raw_data=raw, name=name).SerializeToString()
    found = {number: content[start:stop] for number, _, start, stop in fields(content)}
    assert found[8] == name.encode()
    assert found[9] == raw


@pytest.mark.parametrize(
    "content",
    [b"\x0a\x05abc", b"\x0a", b"\x08\xff", b"\x0b", b"\x02\x00", b"\x08" + b"\xff" * 10],
    ids=["cut value", "no length", "cut number", "a group", "field zero", "long number"],
)
def test_damage_is_told(content: bytes) -> None:
    with pytest.raises((IndexError, ValueError)):
        list(fields(content))
