"""How far a run is, from its file alone."""

from pathlib import Path

import pytest

from mixqual.artifacts import exclusive, write_json
from mixqual.errors import RunError
from mixqual.run_status import StageStatus, State, Status, read_status, write_status


def test_what_is_written_is_read(tmp_path: Path) -> None:
    stages = [
        StageStatus("train clean", "network", "done", 2.5, 1),
        StageStatus("train noise", "network", "failed", 0.1, 4, "OSError: gone"),
        StageStatus("sweep", "sweep", "blocked"),
    ]
    write_status(tmp_path, stages)
    found = read_status(tmp_path)
    assert list(found.stages) == stages
    assert found.count("failed", "blocked") == 2
    assert not found.led


def test_whoever_holds_the_folder_leads_the_run(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        write_status(tmp_path, [])
        assert read_status(tmp_path).led
    assert not read_status(tmp_path).led
    with exclusive(tmp_path):  # having looked does not hold it
        pass


def test_the_time_left_is_that_of_each_kind_shared_by_what_runs() -> None:
    def stage(kind: str, state: State, seconds: float | None = None) -> StageStatus:
        return StageStatus("any", kind, state, seconds)

    stages = [
        *(stage("network", "done", 10.0), stage("network", "done", 20.0)),
        stage("sweep", "done", 1.0),
        *(stage("network", "running"), stage("sweep", "running")),
        *(stage("network", "left"), stage("gate", "left"), stage("sweep", "again", 0.5)),
        *(stage("sweep", "failed", 0.5), stage("gate", "blocked")),
    ]
    # Two networks of 15 s, two sweeps of 1 s, a gate of the mean of both kinds; two run at once.
    assert Status(tuple(stages), True).seconds_left == pytest.approx((2 * 15 + 2 * 1 + 8) / 2)


def test_before_the_first_is_done_no_time_is_guessed() -> None:
    made_before = StageStatus("any", "network", "done")
    running = StageStatus("any", "network", "running")
    assert Status((made_before, running), True).seconds_left is None


def test_a_run_without_one_is_refused_with_another_way(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no status\.json: .* --executor ray .* --dry-run"):
        read_status(tmp_path)


@pytest.mark.parametrize("content", [{}, {"stages": [{"title": "a"}]}, {"stages": [3]}, []])
def test_a_damaged_one_is_refused(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "status.json", content)
    with pytest.raises(RunError, match="is damaged"):
        read_status(tmp_path)
