"""The fuzz harness of benchmarks/, for as long as a test may take."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def harness() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "benchmarks" / "fuzz_upload.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_but_clean_refusals(harness: Any) -> None:
    counts = harness.fuzz(inputs=150, minutes=1, number=0)
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
def test_mutations(harness: Any, mutation: Any, expected: bytes) -> None:
    assert harness.mutated(b"abcdef", [mutation]) == expected
