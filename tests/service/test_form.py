"""Forms in pieces of any size: the standard library's writer is the oracle, and httpx's."""

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixqual.service.form import ImageForm
from mixqual.service.refusals import Refusal


def encoded(contents: list[bytes], name: str = "x.png") -> tuple[bytes, bytes]:
    """A form as httpx writes it, and its boundary."""
    request = httpx.Request(
        "POST", "http://x", files=[("images", (name, content)) for content in contents]
    )
    found = re.search("boundary=(.*)", request.headers["Content-Type"])
    assert found
    return request.read(), found[1].encode()


def parsed(body: bytes, boundary: bytes, step: int) -> list[bytes]:
    form = ImageForm(boundary, lambda _: None)
    for start in range(0, len(body), step):
        form.write(body[start : start + step])
    return form.images()


@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([b"\r\n--", b"--", b"\r\n"]), min_size=1),
    st.integers(1, 90),
)
def test_what_was_put_in_comes_out_whatever_the_pieces(contents: list[bytes], step: int) -> None:
    assert parsed(*encoded(contents), step) == contents


@given(st.text(max_size=30), st.integers(1, 90))
def test_names_of_files_do_not_matter(name: str, step: int) -> None:
    assert parsed(*encoded([b"x"], name), step) == [b"x"]


@given(st.integers(1, 60))
def test_a_form_that_is_cut_off_is_refused(missing: int) -> None:
    body, boundary = encoded([b"content"])
    whole = body.rstrip(b"\r\n")
    with pytest.raises(Refusal, match="ends before") as refusal:
        parsed(whole[:-missing], boundary, 7)
    assert refusal.value.status == 400


def test_how_many_there_are_is_told_before_each_is_taken() -> None:
    body, boundary = encoded([b"a", b"b", b"c"])
    told: list[int] = []

    def refuse_three(count: int) -> None:
        told.append(count)
        if count == 3:
            raise Refusal(413, "three")

    form = ImageForm(boundary, refuse_three)
    with pytest.raises(Refusal, match="three"):
        form.write(body)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("boundary", [b"", b"x" * 71])
def test_boundaries_that_are_none(boundary: bytes) -> None:
    with pytest.raises(Refusal, match="1 to 70"):
        ImageForm(boundary, lambda _: None)
