"""The attack of benchmarks/: what it sends has the answers that it says, and its verdict."""

from collections import Counter
from pathlib import Path

import attack
import pytest
from running import running

from mixqual.bench.serving import Service


def test_all_kinds_but_the_heaviest_have_their_answers(random_bundle: Path) -> None:
    with running(random_bundle) as client:
        service = Service(str(client.base_url), 0)
        for name, kind in attack.kinds(heavy=False).items():
            assert attack.ask(service, kind.sent)[0] in kind.statuses[:-2], name


@pytest.mark.slow
def test_a_short_attack(random_bundle: Path) -> None:
    good, other, _, back = attack.attack(random_bundle, seconds=5)
    assert attack.verdict(good, other, back) == []
    assert good.total() > 0


@pytest.mark.parametrize(
    ("good", "other", "back", "wrong"),
    [
        ({"200": 95, "0": 5}, {"x: 503 with Retry-After": 9, "x: 413": 9}, True, []),
        ({"200": 94, "0": 6}, {}, True, ["only 94.0% of the good requests were answered"]),
        ({"200": 99, "504": 1}, {}, True, ["1 times 504"]),
        ({"200": 9}, {"x: 503": 2}, True, ["2 times x: 503"]),
        ({"200": 9}, {"WRONG x: 200": 2}, True, ["2 times WRONG x: 200"]),
        ({"200": 9}, {}, False, ["memory or files do not come back"]),
        ({}, {}, True, ["only 0.0% of the good requests were answered"]),
    ],
)
def test_the_verdict(
    good: dict[str, int], other: dict[str, int], back: bool, wrong: list[str]
) -> None:
    assert attack.verdict(Counter(good), Counter(other), back) == wrong
