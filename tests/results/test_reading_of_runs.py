import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ended import Command
from finished_runs import Finished

from mixqual.errors import RunError
from mixqual.results.reading import read_results

Results = dict[str, Any]


def changed(finished: Finished, folder: Path, change: Callable[[Results], object]) -> Path:
    """Results that somebody has changed by hand, in a folder of their own."""
    results = json.loads((finished[1] / "results.json").read_text())
    del results["signed"], results["checksum"]
    change(results)
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_what_a_run_has_written_is_read(finished: Finished) -> None:
    assert read_results(finished[1]) == finished[2]


CHANGES: dict[str, tuple[Callable[[Results], object], str]] = {
    "auc": (lambda r: r.update(auc=[]), "auc: Input should be an object, not []"),
    "experts": (lambda r: r.update(experts=3), "experts: Input should be a valid array, not 3"),
    "trust": (lambda r: r.update(trust=3), "trust: Input should be a valid array, not 3"),
    "model": (lambda r: r["auc"].pop("mix"), "it lacks auc.mix"),
    "area": (
        lambda r: r["auc"]["mix"].update(average={}),
        "it lacks auc.mix.average.auc, auc.mix.average.",
    ),
    "origin": (lambda r: r.update(provenance=[]), "provenance: Input should be an object, not []"),
    "nan": (lambda r: r["auc"]["mix"]["average"].update(auc=float("nan")), "NaN where a number"),
    "infinite": (lambda r: r.update(largest_gap=float("-inf")), "-Infinity where a number"),
    "deep": (lambda r: r.update(x=json.loads("[" * 900 + "]" * 900)), "over 50 deep"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("words", [["report"], ["export"]])
def test_results_changed_into_something_else_are_refused_in_one_line(
    finished: Finished, tmp_path: Path, command: Command, name: str, words: list[str]
) -> None:
    change, reason = CHANGES[name]
    folder = changed(finished, tmp_path / "run", change)
    out = [tmp_path / "x.mixqual"] if words == ["export"] else []
    refusal = command(*words, folder, *out).refusal()
    assert str(folder / "results.json") in refusal
    assert reason in refusal
    assert "\n" not in refusal


def test_results_nested_past_any_recursion_are_refused(tmp_path: Path, command: Command) -> None:
    (tmp_path / "results.json").write_text("[" * 5000 + "]" * 5000)
    assert "over 50 deep" in command("report", tmp_path).refusal()


def test_a_number_past_all_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"largest_gap": 1e999}')
    with pytest.raises(RunError, match="1e999 where a number should be"):
        read_results(tmp_path)


def test_provenance_has_what_is_asked_of_it(
    finished: Finished, tmp_path: Path, command: Command
) -> None:
    folder = changed(finished, tmp_path / "run", lambda r: r["provenance"].pop("seeds"))
    refusal = command("export", folder, tmp_path / "x.mixqual").refusal()
    assert "it lacks provenance.seeds" in refusal
