"""The types of results, against what runs have written and what somebody may have changed in it."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finished_runs import Run, read
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import sample_results
from trust_samples import trusting_results

from mixqual.errors import RunError
from mixqual.made import read_signed
from mixqual.results.content import RunResults

COMMITTED = sorted((Path(__file__).parents[2] / "results").glob("*/results.json"))
SAMPLE = json.loads(json.dumps(sample_results(trees=True)))


def plain(results: RunResults) -> Any:
    """What stood in the file."""
    return json.loads(results.model_dump_json(by_alias=True, exclude_unset=True))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_published_results_are_typed_without_loss(path: Path) -> None:
    table = read_signed(path)
    assert plain(RunResults.of(table, path)) == table


def test_what_a_run_writes_is_typed_without_loss(plain_run: Run, tree_run: Run) -> None:
    for run in (plain_run, tree_run):
        table = read(run.out)
        assert plain(RunResults.of(table, run.out)) == table


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a table, the table itself left out."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


PLACES = list(places(SAMPLE))


@settings(max_examples=30, deadline=None)
@given(place=st.sampled_from(PLACES))
def test_what_is_of_another_kind_is_named_with_its_file_and_field(
    place: tuple[str | int, ...],
) -> None:
    table = copy.deepcopy(SAMPLE)
    inner = table
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = [["no such value"]]
    with pytest.raises(RunError) as refused:
        RunResults.of(table, "run/results.json")
    message = str(refused.value)
    assert message.startswith("run/results.json is not what `mixqual run` writes: ")
    assert "\n" not in message
    assert ".".join(map(str, place)) in message


def test_unknown_fields_and_what_is_no_number_are_refused() -> None:
    with pytest.raises(RunError, match=r"writes: more: Extra inputs are not permitted, not 3$"):
        RunResults.of(SAMPLE | {"more": 3}, "results.json")
    with pytest.raises(RunError, match="largest_gap: Input should be a finite number, not NaN"):
        RunResults.of(SAMPLE | {"largest_gap": float("nan")}, "results.json")


def test_what_results_say_of_models_is_found() -> None:
    results = RunResults.of(trusting_results(trees=True), "results.json")
    assert results.original_network == "clean"
    tree = results.tree("tree_blocks.3")
    assert tree is not None
    assert (tree.until, tree.from_) == ("blocks.3", None)
    assert results.tree("mix") is None
    judged = results.trust_of("tree_blocks.3", 0)
    assert judged is not None
    assert judged.model == "tree_blocks.3"
    assert results.trust_of("mix", 5) is None
    others = RunResults.of(SAMPLE | {"clean": None}, "results.json")
    assert others.original_network == SAMPLE["experts"][0]
