import json
from pathlib import Path

import pytest
from report_samples import sample_results

from mixqual.errors import RunError
from mixqual.report import write_report
from mixqual.results.reading import read_examples, read_results


def test_reads_what_a_report_wrote(tmp_path: Path) -> None:
    results = sample_results(trees=True)
    write_report(results, tmp_path)
    assert read_results(tmp_path) == results
    assert read_results(tmp_path / "results.json") == results


@pytest.mark.parametrize("name", ["", "none", "file", "file/below", "results.json"])
def test_a_place_without_results_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(RunError, match=r"holds no results.json; name the folder of a run"):
        read_results(tmp_path / name)


def test_a_folder_of_that_name_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(RunError, match=r"holds no results.json"):
        read_results(tmp_path)


def test_damaged_results_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"name": ')
    with pytest.raises(RunError, match="is damaged"):
        read_results(tmp_path)


@pytest.mark.parametrize("content", [[], "text", 3, None])
def test_other_json_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="not what `mixqual run` writes: it lacks name, provenance"):
        read_results(tmp_path)


@pytest.mark.parametrize("key", ["experts", "gate_weights", "cost"])
def test_what_is_lacking_is_named(tmp_path: Path, key: str) -> None:
    results = sample_results()
    del results[key]
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(RunError, match=f"it lacks {key}$"):
        read_results(tmp_path)


def test_what_is_no_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "examples.json").write_text('{"weights": {}}')
    with pytest.raises(
        RunError, match=r"examples\.json is not what `mixqual run` writes: it lacks"
    ):
        read_examples(tmp_path)
