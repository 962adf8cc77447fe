"""Artifacts that went through a store come back whole, or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.mirror import Mirror, files_of
from mixqual.object_store import ObjectStore

names = st.text(st.sampled_from("abz09_-é"), min_size=1, max_size=5)
paths = st.builds("/".join, st.lists(names, min_size=1, max_size=3))


def is_tree(files: dict[str, bytes]) -> bool:
    """Whether no file is also the folder of another."""
    folders = {str(folder) for name in files for folder in Path(name).parents}
    return folders.isdisjoint(files)


trees = st.dictionaries(paths, st.binary(max_size=30), min_size=1, max_size=6).filter(is_tree)


def objects(root: Path, kind: str = "file") -> ObjectStore:
    return ObjectStore(f"{kind}://{root}/store")


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read_tree(folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files_of(folder)}


@settings(deadline=None, max_examples=25)
@given(files=trees, about=st.dictionaries(names, st.integers(), max_size=2))
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_any_files_come_back(
    kind: str,
    files: dict[str, bytes],
    about: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("any")
    source = write_tree(root / "source", files)
    Mirror(objects(root, kind)).publish("network-1", files_of(source), about)
    other = Mirror(objects(root, kind))
    assert other.about("network-1") == about
    assert other.fetch("network-1", root / "back")
    assert read_tree(root / "back") == files
    for name, content in files.items():
        assert other.read("network-1", name) == content


def test_what_is_finished_is_not_uploaded_again(tmp_path: Path) -> None:
    store = objects(tmp_path)
    Mirror(store).publish("a", [("x", b"first")])
    Mirror(store).publish("a", [("x", b"second")])
    assert Mirror(store).read("a", "x") == b"first"


def test_an_upload_that_breaks_off_is_not_there(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[tuple[str, bytes]]:
        yield "x", b"1"
        raise KeyboardInterrupt

    store = objects(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Mirror(store).publish("a", breaks_off())
    assert store.read("artifacts/a/x") == b"1"
    assert not Mirror(store).has("a")
    assert not Mirror(store).fetch("a", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    Mirror(store).publish("a", [("x", b"22")])
    assert Mirror(store).read("a", "x") == b"22"


@pytest.mark.parametrize("content", [b"1234", b"12", b"", None], ids=repr)
@pytest.mark.parametrize("by", ["fetch", "read"])
def test_a_damaged_artifact_is_refused_and_counts_as_not_made(
    by: str, content: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = objects(tmp_path)
    Mirror(store).publish("a", [("w", b"whole"), ("x", b"1235")])
    store.remove("artifacts/a/x")
    if content is not None:
        store.write("artifacts/a/x", content)
    other = Mirror(store)
    assert not (other.fetch("a", tmp_path / "back") if by == "fetch" else other.read("a", "x"))
    state = "missing" if content is None else "damaged"
    assert f"a is not used, as its x is {state}; it counts as not made" in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    assert not other.has("a")
    other.publish("a", [("x", b"made again")])
    assert Mirror(store).read("a", "x") == b"made again"


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"files": {}}',
        b'{"about": {}, "files": {"x": 3}}',
        json.dumps({"about": {}, "files": {"../x": [1, "00"]}}).encode(),
        json.dumps({"about": {}, "files": {"/x": [1, "00"]}}).encode(),
    ],
    ids=repr,
)
def test_a_damaged_list_of_files_is_no_artifact(
    marker: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = objects(tmp_path)
    store.write("finished/a.json", marker)
    assert not Mirror(store).has("a")
    assert "a is not used, as its list of files is damaged" in capfd.readouterr().err
    assert store.names("finished") == []


def test_parts_are_found_by_what_they_are_under(tmp_path: Path) -> None:
    mirror = Mirror(objects(tmp_path))
    for name in ("array/2", "array/1", "arrays/3", "array"):
        mirror.publish(name, [("x", b"")])
    assert mirror.finished("array") == ["array/1", "array/2"]


def test_a_report_ends_with_its_results(tmp_path: Path) -> None:
    store = objects(tmp_path)
    run = write_tree(tmp_path / "run", {"results.json": b"1", "z.md": b"2", "figures/a.svg": b"3"})
    gone = run / "gone.md"
    paths = [path for _, path in files_of(run)]
    with pytest.raises(FileNotFoundError):
        Mirror(store).publish_report("tiny", run, [run / "results.json", gone])
    assert store.names("results") == []
    Mirror(store).publish_report("tiny", run, paths)
    assert store.names("results/tiny") == ["figures/a.svg", "results.json", "z.md"]
