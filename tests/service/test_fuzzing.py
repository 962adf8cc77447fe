"""The fuzz harness of uploads in benchmarks/, for as long as a test may take."""

from typing import Any

import fuzz_upload
import pytest


def test_nothing_but_clean_refusals() -> None:
    counts = fuzz_upload.fuzz(inputs=150, minutes=1, number=0)
    assert counts.total() == 150
    assert {"upload 200", "upload 400", "upload 422", "bundle refused"} <= set(counts)


@pytest.mark.parametrize(
    ("mutation", "expected"),
    [
        (("set", 2, b"xy"), b"abxyef"),
        (("insert", 2, b"xy"), b"abxycdef"),
        (("cut", 8, b"x"), b"a"),  # 8 modulo the seven places
        (("drop", 1, b"x"), b"a"),
        (("repeat", 4, b"xy"), b"abcdefefef"),
    ],
)
def test_mutations(mutation: Any, expected: bytes) -> None:
    assert fuzz_upload.mutated(b"abcdef", [mutation]) == expected
