import gc
import io
import os
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.data.archives import Archive
from mixqual.errors import DataError


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w", **links: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in links.items():
            member = tarfile.TarInfo(f"set/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return path


def contents(archive: Archive) -> dict[str, bytes]:
    return {member.name: archive.read(member) for member in archive.members()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_are_read_and_nothing_is_written(tmp_path: Path, mode: str) -> None:
    files = {"set/a/1.jpg": b"one", "set/a/2.jpg": b"", "other/x": bytes(range(256)) * 99}
    path = write_tar(tmp_path / "a.tar", {f"./{name}": data for name, data in files.items()}, mode)
    tmp_path.chmod(0o500)
    try:
        assert contents(Archive(path)) == files
    finally:
        tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == [path]


names = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@settings(deadline=None, max_examples=25)
@given(
    outer=st.dictionaries(names, st.binary(max_size=2000), max_size=5),
    inner=st.dictionaries(names, st.binary(max_size=2000), max_size=5),
)
def test_an_archive_in_an_archive_has_what_tarfile_finds_in_it(
    tmp_path_factory: pytest.TempPathFactory, outer: dict[str, bytes], inner: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tars")
    within = write_tar(root / "inner.tar", inner).read_bytes()
    path = write_tar(root / "a.tar", {**outer, "zz.tar": within, "zzz": b"after"})
    archive = Archive(path)
    [member] = [each for each in archive.members() if each.name == "zz.tar"]
    found = {each.name: archive.read(each) for each in archive.members(member)}
    with tarfile.open(fileobj=io.BytesIO(within)) as tar:
        expected = {os.path.normpath(m.name): tar.extractfile(m).read() for m in tar}
    assert found == {n: d for n, d in expected.items() if not n.startswith(("../", "/"))}


def test_an_archive_without_its_end_has_nothing_of_the_one_around_it(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "inner.tar", {"1.jpg": b"x" * 512}).read_bytes()
    path = write_tar(tmp_path / "a.tar", {"a.tar": whole[:1024], "b.jpg": b"outside"})
    archive = Archive(path)
    assert [each.name for each in archive.members(archive.members()[0])] == ["1.jpg"]


def test_links_are_what_they_lead_to_inside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    links = {"a.jpg": "1.jpg", "b.jpg": "../set/1.jpg", "c.jpg": "../../secret", "d.jpg": "no"}
    path = write_tar(tmp_path / "in" / "a.tar", {"set/1.jpg": b"one"}, **links)
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("set/e.jpg")
        member.type, member.linkname = tarfile.LNKTYPE, "set/1.jpg"
        tar.addfile(member)
    assert contents(Archive(path)) == dict.fromkeys(
        ("set/1.jpg", "set/a.jpg", "set/b.jpg", "set/e.jpg"), b"one"
    )


@pytest.mark.parametrize("name", ["../evil.jpg", "set/../../evil.jpg", "/evil.jpg"])
def test_names_that_reach_outside_are_passed_over(tmp_path: Path, name: str) -> None:
    path = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"x", name: b"evil"})
    assert contents(Archive(path)) == {"set/1.jpg": b"x"}


def test_threads_read_at_once(tmp_path: Path) -> None:
    files = {f"set/{n}.jpg": bytes([n]) * (1000 + n) for n in range(50)}
    archive = Archive(write_tar(tmp_path / "a.tar", files))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(archive.read, archive.members() * 4))
    assert sorted(found) == sorted(list(files.values()) * 4)


def test_an_archive_in_a_zip(tmp_path: Path) -> None:
    inner = write_tar(tmp_path / "set.tar.gz", {"set/1.jpg": b"one"}, "w:gz")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("__MACOSX/a/._set.tar.gz", "x")
        outer.write(inner, "a/set.tar.gz")
    assert contents(Archive(path, "set.tar.gz")) == {"set/1.jpg": b"one"}


def test_files_are_closed_with_it(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"one"}, "w:gz")
    before = len(os.listdir("/proc/self/fd"))
    archive = Archive(path)
    image = archive.content(0, archive.members()[0])
    assert (image.name, str(image)) == ("set/1.jpg", f"{path}, set/1.jpg")
    del archive
    assert image.read() == b"one"
    del image
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_damage_is_told(tmp_path: Path, mode: str) -> None:
    noise = os.urandom(100_000)
    path = write_tar(tmp_path / "a.tar", {"set/1.jpg": noise, "set/2.jpg": noise}, mode)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for _ in range(2):
        with pytest.raises(DataError, match=r"a\.tar: is damaged or incomplete.*fetch it again"):
            Archive(path).members()
        path.write_bytes(b"<html>404</html>")


def test_damaged_or_wrong_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"a\.zip: is damaged or incomplete"):
        Archive(path, "set.tar.gz")
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("other.tar.gz", "x")
    with pytest.raises(DataError, match=r"a\.zip: holds no set\.tar\.gz"):
        Archive(path, "set.tar.gz")


def test_no_room_to_uncompress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "a.tar.gz", {"set/1.jpg": b"one"}, "w:gz")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"a\.tar\.gz: cannot be .* make room in .*absent"):
        Archive(path)
