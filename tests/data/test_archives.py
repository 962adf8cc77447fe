import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mixqual.data.archives import unpack
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


def test_only_the_folder_is_unpacked(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"./set/a/1.jpg": b"one", "other/x": b"x", "y": b"y"})
    assert unpack(archive, "set") == tmp_path / "set"
    assert (tmp_path / "set" / "a" / "1.jpg").read_bytes() == b"one"
    assert {path.name for path in tmp_path.iterdir()} == {
        *("a.tar", "set", ".set.lock", ".set.unpacked")
    }


def test_folder_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"one"})
    (tmp_path / "set").mkdir()
    unpack(archive, "set")
    assert list((tmp_path / "set").iterdir()) == []


def test_another_archive_is_not_taken_for_the_one_that_was_unpacked(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"one"})
    unpack(archive, "set")
    write_tar(archive, {"set/1.jpg": b"one"})  # written again, but the same
    unpack(archive, "set")
    write_tar(archive, {"set/1.jpg": b"two"})
    with pytest.raises(DataError, match=r"a\.tar has changed since .*set was unpacked from it"):
        unpack(archive, "set")
    assert (tmp_path / "set" / "1.jpg").read_bytes() == b"one"


def test_rest_of_a_killed_call_is_replaced(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"one"})
    (tmp_path / ".set.partial" / "set").mkdir(parents=True)
    (tmp_path / ".set.partial" / "set" / "half.jpg").write_bytes(b"on")
    unpack(archive, "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["1.jpg"]
    assert not (tmp_path / ".set.partial").exists()


def test_calls_at_once_all_find_it(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {f"set/{n}.jpg": b"x" * 1000 for n in range(50)})
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: unpack(archive, "set"), range(4)))
    assert found == {tmp_path / "set"}
    assert len(list((tmp_path / "set").iterdir())) == 50


@pytest.mark.parametrize("name", ["../evil.jpg", "set/../../evil.jpg"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    archive = write_tar(tmp_path / "in" / "a.tar", {"set/1.jpg": b"x", name: b"evil"})
    with pytest.raises(DataError, match=r"a.tar: is damaged, incomplete or unsafe .*evil"):
        unpack(archive, "set")
    assert not list(tmp_path.rglob("evil.jpg"))
    assert not (tmp_path / "in" / "set").exists()


def test_links_to_the_outside_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    archive = write_tar(tmp_path / "in" / "a.tar", {"set/1.jpg": b"x"}, link="../../../secret")
    with pytest.raises(DataError, match=r"unsafe"):
        unpack(archive, "set")
    assert not (tmp_path / "in" / "set").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_damaged_archive_leaves_nothing(tmp_path: Path, mode: str) -> None:
    noise = bytes(range(256)) * 400
    archive = write_tar(tmp_path / "a.tar", {"set/1.jpg": noise, "set/2.jpg": noise}, mode)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a.tar: is damaged, incomplete.*fetch it again"):
        unpack(archive, "set")
    archive.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"a.tar: is damaged, incomplete.*fetch it again"):
        unpack(archive, "set")
    assert not (tmp_path / "set").exists()
    assert not (tmp_path / ".set.partial").exists()


def test_damaged_or_wrong_zip(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"a.zip: is damaged, incomplete"):
        unpack(archive, "set")
    with zipfile.ZipFile(archive, "w") as outer:
        outer.writestr("other.tar.gz", "x")
    with pytest.raises(DataError, match=r"a.zip: holds no set.tar.gz"):
        unpack(archive, "set")


def test_wrong_archive(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"other/1.jpg": b"x"})
    with pytest.raises(DataError, match=r"a.tar: holds no folder set"):
        unpack(archive, "set")


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"set/1.jpg": b"x"})
    (tmp_path / ".set.lock").mkdir()
    with pytest.raises(DataError, match=r"cannot be unpacked beside itself \(Is a directory\)"):
        unpack(archive, "set")


def test_a_python_without_a_filter_asks_to_unpack_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "pictures.tar"
    with tarfile.open(archive, "w"):
        pass
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"pictures\.tar: .*unpack it yourself, to .*pictures"):
        unpack(archive, "pictures")
