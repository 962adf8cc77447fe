"""Whose rows they are."""

from pathlib import Path

import pytest
from trust_samples import trusting_results

from mixqual.layout import Table, to_markdown
from mixqual.report import make
from mixqual.results.lookups import trust_rows
from mixqual.results.reading import read_results

COMMITTED = Path(__file__).parents[2] / "results"


def test_a_model_has_its_own_rows() -> None:
    results = trusting_results(trees=True)
    first, *others = results["trust"]
    assert trust_rows(results, "mix") == [first]
    for row in others:
        assert trust_rows(results, row["model"]) == [row]
    assert trust_rows(results, "noise") == []
    assert trust_rows({}, "mix") == []


def test_trainings_stay_in_their_order() -> None:
    results = trusting_results(trees=True)
    more = [row | {"seed": 1} for row in results["trust"]]
    results["trust"] += more
    assert [row["seed"] for row in trust_rows(results, "tree_blocks.3")] == [0, 1]


@pytest.mark.parametrize("run", ["elpv_five", "elpv_patch"])
def test_published_results_make_the_table_that_was_published(run: str) -> None:
    results = read_results(COMMITTED / run)
    assert trust_rows(results, "mix") == results["trust"]
    table = make(results, "verdicts")
    assert isinstance(table, Table)
    assert to_markdown(table) in (COMMITTED / run / "table.md").read_text(encoding="utf-8")
