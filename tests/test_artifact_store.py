import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import KINDS, POWER_CUTS, damage, files_of, power_cut

from mixqual.artifact_store import ArtifactStore
from mixqual.errors import RunError


def test_a_folder_that_cannot_be_made_is_named() -> None:
    # In /sys nobody can make a folder, not even root.
    store = ArtifactStore(Path("/sys/run"))
    with pytest.raises(RunError, match=r"^/sys/run/.*: cannot be written"):
        store.build("network", "0" * 16, lambda directory: None)


def test_a_stage_is_made_once(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    made: list[Path] = []

    def make(directory: Path) -> None:
        made.append(directory)
        (directory / "result").write_text("done")

    assert not store.is_done("split", "ab")
    folder = store.build("split", "ab", make)
    assert folder == store.path("split", "ab") == tmp_path / "artifacts" / "split-ab"
    assert store.is_done("split", "ab")
    assert (folder / "result").read_text() == "done"
    assert ArtifactStore(tmp_path / "artifacts").build("split", "ab", make) == folder
    assert made == [tmp_path / "artifacts" / "split-ab.partial"]
    assert not made[0].exists()


def test_stages_and_keys_are_apart(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    for stage, key in (("a", "1"), ("a", "2"), ("b", "1")):
        store.build(stage, key, lambda directory: (directory / stage).touch())  # noqa: B023
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1", "a-2", "b-1"]
    assert not store.is_done("b", "2")


def test_a_stage_goes_on_from_what_an_interrupted_one_left(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def count_to_three(directory: Path) -> None:
        for step in range(len(list(directory.iterdir())), 3):
            (directory / str(step)).touch()
            if step == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.build("count", "1", count_to_three)
    assert not store.is_done("count", "1")
    assert sorted(path.name for path in (tmp_path / "count-1.partial").iterdir()) == ["0", "1"]
    folder = store.build("count", "1", count_to_three)
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "made.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["count-1"]


def test_a_full_disk_leaves_a_stage_unfinished(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def fill(directory: Path) -> None:
        (directory / "kept").touch()
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    with pytest.raises(RunError, match=r"sweep-1\.partial: the disk is full"):
        store.build("sweep", "1", fill)
    assert not store.is_done("sweep", "1")
    assert (tmp_path / "sweep-1.partial" / "kept").exists()


# What earlier runs have


def artifact(run: Path, name: str, content: str) -> Path:
    """A finished artifact of a run."""
    (run / name / "inner").mkdir(parents=True)
    (run / name / "inner" / "file").write_text(content)
    return run / name


def content_of(folder: Path) -> str:
    return (folder / "inner" / "file").read_text()


def test_files_that_a_kill_left_half_written_go_and_unfinished_stages_stay(tmp_path: Path) -> None:
    half = tmp_path / "outputs-1.zarr" / "c" / "0" / "0.6f1e.partial"
    whole = half.with_name("0")
    unfinished = tmp_path / "network-2.partial" / "state.safetensors"
    for path in (half, whole, unfinished):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"some")
    ArtifactStore(tmp_path).discard_half_written()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {whole, unfinished}


def test_an_artifact_is_found_here_then_in_the_earlier_runs_in_order(tmp_path: Path) -> None:
    here, first, second = (tmp_path / name for name in ("here", "first", "second"))
    store = ArtifactStore(here, [first, second])
    assert store.find("split-1") == here / "split-1"  # where it would be made
    for run in (second, first, here):
        folder = artifact(run, "split-1", run.name)
        assert store.find("split-1") == folder
    assert ArtifactStore(here).find("split-2") == here / "split-2"


def test_what_is_adopted_is_a_copy(tmp_path: Path) -> None:
    """A change of either is none of the other."""
    earlier = artifact(tmp_path / "earlier", "network-1", "weights")
    store = ArtifactStore(tmp_path / "new" / "artifacts", [tmp_path / "gone", tmp_path / "earlier"])
    store.adopt("network-1")
    copy = tmp_path / "new" / "artifacts" / "network-1"
    assert content_of(copy) == "weights"
    assert [path.name for path in copy.parent.iterdir()] == ["network-1"]
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    (copy / "inner" / "file").write_text("changed")
    assert content_of(earlier) == "weights"
    shutil.rmtree(earlier)
    assert store.is_done("network", "1")


def test_what_is_adopted_is_not_made(tmp_path: Path) -> None:
    artifact(tmp_path / "earlier", "network-1", "weights")
    store = ArtifactStore(tmp_path / "new", [tmp_path / "earlier"])
    store.adopt("network-1")
    made: list[Path] = []
    assert content_of(store.build("network", "1", made.append)) == "weights"
    assert made == []


@pytest.mark.parametrize("kind", ["finished", "a file"])
def test_what_is_here_wins(tmp_path: Path, kind: str) -> None:
    artifact(tmp_path / "earlier", "network-1", "theirs")
    store = ArtifactStore(tmp_path, [tmp_path / "earlier"])
    if kind == "finished":
        ours = artifact(tmp_path, "network-1", "ours")
        store.adopt("network-1")
        assert content_of(ours) == "ours"
    else:
        (tmp_path / "network-1").write_text("ours")
        store.adopt("network-1")
        assert (tmp_path / "network-1").read_text() == "ours"


def test_the_first_earlier_run_that_has_it_is_copied(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("none", "first", "second")]
    for run in runs[1:]:
        artifact(run, "network-1", run.name)
    ArtifactStore(tmp_path / "new", runs).adopt("network-1")
    assert content_of(tmp_path / "new" / "network-1") == "first"


def test_nothing_to_adopt_is_no_error(tmp_path: Path) -> None:
    artifact(tmp_path / "earlier", "network-2", "another")
    for earlier in ([], [tmp_path / "gone"], [tmp_path / "earlier"], [tmp_path / "new"]):
        ArtifactStore(tmp_path / "new", earlier).adopt("network-1")
    assert not (tmp_path / "new").exists()


def test_what_an_earlier_run_left_unfinished_is_not_adopted(tmp_path: Path) -> None:
    artifact(tmp_path / "earlier", "network-1.partial", "half")
    artifact(tmp_path / "earlier", "network-1.copy", "half")
    store = ArtifactStore(tmp_path / "new", [tmp_path / "earlier"])
    store.adopt("network-1")
    assert not store.is_done("network", "1")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_copy_leaves_nothing_half(tmp_path: Path) -> None:
    """The copy ends at a file that cannot be read; what it had copied is not taken for whole."""
    earlier = artifact(tmp_path / "earlier", "network-1", "weights")
    (earlier / "state").symlink_to(tmp_path / "nowhere")
    store = ArtifactStore(tmp_path / "new", [tmp_path / "earlier"])
    with pytest.raises(shutil.Error, match="No such file"):
        store.adopt("network-1")
    assert not store.is_done("network", "1")
    assert content_of(tmp_path / "new" / "network-1.copy") == "weights"
    (tmp_path / "new" / "network-1.copy" / "more").touch()  # of another version of it
    (earlier / "state").unlink()
    store.adopt("network-1")
    assert content_of(tmp_path / "new" / "network-1") == "weights"
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["network-1", "inner", "file"]


def test_a_copy_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    artifact(tmp_path / "earlier", "network-1", "weights")
    store = ArtifactStore(Path("/sys/run"), [tmp_path / "earlier"])
    with pytest.raises(RunError, match=r"^/sys/run/network-1: cannot be written"):
        store.adopt("network-1")


# What is believed of an artifact


def made(root: Path, content: str = "right") -> Path:
    """An artifact of two parts, and its folder."""

    def make(directory: Path) -> None:
        (directory / "inner").mkdir()
        (directory / "inner" / "file").write_text(content)
        (directory / "other").write_text("other")
        (directory / "tensorboard").mkdir()
        (directory / "tensorboard" / "log").write_text("for people")

    return ArtifactStore(root / "artifacts", maker={"version": "1"}).build("network", "1", make)


@pytest.mark.parametrize("part", ["inner/file", "other", "made.json"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_is_named_set_aside_and_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, kind: str
) -> None:
    folder = made(tmp_path)
    others = [folder / "other"] if part == "inner/file" else [folder / "inner" / "file"]
    damage(folder / part, kind, np.random.default_rng(3), others)
    made(tmp_path, "right")
    assert content_of(folder) == "right"
    assert (folder / "other").read_text() == "other"
    told = capsys.readouterr().err
    if part == "made.json" and kind == "removed":  # as if there had never been checksums
        assert told == ""
        return
    assert f"{folder} is damaged: its " in told
    assert "it is made again, and the old one is kept as" in told
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == ["network-1"]


@pytest.mark.parametrize("kind", POWER_CUTS)
@pytest.mark.parametrize("seed", range(4))
def test_what_a_power_cut_left_under_a_finished_name_is_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, seed: int
) -> None:
    folder = made(tmp_path)
    power_cut(files_of(folder), kind, np.random.default_rng(seed))
    if kind != "all gone" and not (folder / "made.json").exists():  # as if it had never been there
        (folder / "made.json").touch()
    made(tmp_path, "right")
    assert content_of(folder) == "right"
    assert f"{folder} is damaged: it" in capsys.readouterr().err


def test_artifacts_that_change_places_are_not_believed(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    for key in "12":
        store.build("network", key, lambda directory: (directory / "file").write_text(key))  # noqa: B023
    folder = tmp_path / "artifacts"
    for old, new in (("network-1", "kept"), ("network-2", "network-1"), ("kept", "network-2")):
        (folder / old).rename(folder / new)
    again = ArtifactStore(tmp_path / "artifacts")
    assert not again.prove("network-1")
    assert not again.prove("network-2")


def test_logs_are_no_part(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "tensorboard" / "log").write_text("changed")
    (folder / ".DS_Store").touch()
    assert ArtifactStore(tmp_path / "artifacts").prove("network-1")


def test_several_damaged_ones_are_all_kept(tmp_path: Path) -> None:
    for _ in range(3):
        (made(tmp_path) / "other").write_text("wrong")
    made(tmp_path)
    kept = sorted(path.name for path in (tmp_path / "damaged").iterdir())
    assert kept == ["network-1", "network-1.2", "network-1.3"]


def test_what_is_made_again_but_differs_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path)
    (folder / "inner" / "file").write_text("wrong")
    made(tmp_path, "not quite right")
    told = capsys.readouterr().err
    assert f"{folder}: its inner/file is not the one that was lost" in told


def test_an_artifact_of_before_there_were_checksums_has_them_from_now_on(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "artifacts", "network-1", "old")
    first = ArtifactStore(tmp_path / "artifacts", maker={"version": "2"})
    assert first.prove("network-1")
    assert first.makers == {"network-1": None}
    assert content_of(folder) == "old"
    (folder / "inner" / "file").write_text("new")
    assert not ArtifactStore(tmp_path / "artifacts").prove("network-1")


def test_what_made_an_artifact_stays_with_it(tmp_path: Path) -> None:
    made(tmp_path)
    again = ArtifactStore(tmp_path / "artifacts", maker={"version": "2"})
    again.build("network", "1", lambda directory: None)
    again.build("gate", "1", lambda directory: None)
    assert again.makers == {"network-1": {"version": "1"}, "gate-1": {"version": "2"}}


def test_a_damaged_artifact_of_an_earlier_run_is_not_reused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "earlier")
    (folder / "other").write_text("wrong")
    store = ArtifactStore(tmp_path / "new", [tmp_path / "earlier" / "artifacts"])
    store.adopt("network-1")
    assert list((tmp_path / "new").iterdir()) == []
    assert f"{folder} is damaged: its other is not what was written; it is not reused" in (
        capsys.readouterr().err
    )
    assert (folder / "other").read_text() == "wrong"
