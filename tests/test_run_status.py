"""How far a run is, from its file alone."""

from pathlib import Path

import pytest

from mixqual.artifacts import exclusive, write_json
from mixqual.errors import RunError
from mixqual.run_status import StageStatus, State, Status, read_status, write_status


def test_what_is_written_is_read(tmp_path: Path) -> None:
    stages = [
        StageStatus("train clean", "network", "done", 2.5, 1),
        StageStatus("train noise", "network", "failed", 0.1, 4, "OSError: gone", 30.0, 1e9),
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


def stage(
    kind: str,
    state: State,
    seconds: float | None = None,
    work: float = 1.0,
    started: float | None = None,
) -> StageStatus:
    return StageStatus("any", kind, state, seconds, work=work, started=started)


def seconds_left(stages: list[StageStatus], now: float = 0.0) -> float | None:
    return Status(tuple(stages), True).seconds_left(now)


def test_the_time_left_is_that_of_each_kind_shared_by_what_runs() -> None:
    stages = [
        *(stage("network", "done", 10.0, 4), stage("network", "done", 20.0, 6)),
        stage("sweep", "done", 1.0, 0.5),
        *(stage("network", "running", work=5), stage("sweep", "running", work=3)),
        *(stage("network", "left", work=5), stage("gate", "left", work=2)),
        *(stage("sweep", "again", 0.5, 3), stage("weights", "left", work=0)),
        *(stage("sweep", "failed", 0.5), stage("gate", "blocked")),
    ]
    # Networks take 3 s a unit, sweeps 2, and a gate what all that is done takes; two run at once.
    expected = (3 * 10 + 2 * 6 + 2 * 31 / 10.5) / 2
    assert seconds_left(stages) == pytest.approx(expected)


def test_what_has_run_is_not_left() -> None:
    """By hand: of 20 s 12 have gone by; what takes longer than expected is about to end."""
    stages = [
        stage("network", "done", 10.0),
        stage("network", "running", work=2, started=100.0),
        stage("network", "running", work=1, started=90.0),
    ]
    assert seconds_left(stages, now=112.0) == pytest.approx((20 - 12) / 2)


def test_before_the_first_is_done_no_time_is_guessed() -> None:
    made_before = stage("network", "done")
    of_no_work = stage("weights", "done", 0.1, work=0)
    assert seconds_left([made_before, of_no_work, stage("network", "running")]) is None


def test_a_run_without_one_is_refused_with_another_way(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no status\.json: .* --executor ray .* --dry-run"):
        read_status(tmp_path)


def test_a_run_that_has_none_yet_is_told_from_one_that_never_has(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(RunError, match=r"has no status\.json yet: .* decoded"):
        read_status(tmp_path)


@pytest.mark.parametrize("content", [{}, {"stages": [{"title": "a"}]}, {"stages": [3]}, []])
def test_a_damaged_one_is_refused(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "status.json", content)
    with pytest.raises(RunError, match="is damaged"):
        read_status(tmp_path)
