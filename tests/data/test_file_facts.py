import multiprocessing
import os
import sqlite3
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import folder, gray, rgb, save

from mixqual.data import DecodedImages, decode_images, open_images
from mixqual.data.file_facts import cache_folder, remembering, stamp_of
from mixqual.data.survey import Survey, survey
from mixqual.images import Content, Header

LONG_AGO = 10**18
HEADER = Header("PNG", "L", 3, 4, 8, False, False)


@pytest.fixture
def old_root(tmp_path: Path) -> Path:
    """Classes a and b with 150 tiny images each, which have not changed for years."""
    for name in ("a", "b"):
        for number in range(150):
            path = save(gray(number, 6), tmp_path / "images" / name / f"{number}.png")
            os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return tmp_path / "images"


def spoil(path: Path) -> None:
    """Change the content, but neither the size nor the time: who reads it will notice."""
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


def look(root: Path) -> Survey:
    return survey(folder(root), workers=2)


def decoded(root: Path, out: Path) -> DecodedImages:
    decode_images(folder(root), out, size=16, interpolation="bilinear", workers=2, on_error="skip")
    return open_images(out, 1)


def test_a_second_look_opens_no_file(old_root: Path) -> None:
    first = look(old_root)
    assert len(first.items) == 300
    for path in old_root.rglob("*.png"):
        spoil(path)
    assert look(old_root) == first


def test_decoding_remembers_as_well_and_reads_no_header_twice(
    old_root: Path, tmp_path: Path
) -> None:
    colour = save(rgb(1, 6), old_root / "a" / "0.png")
    os.utime(colour, ns=(LONG_AGO, LONG_AGO))
    first = decoded(old_root, tmp_path / "first")
    assert first.pixels_NHWC.shape[-1] == 3
    spoil(colour)
    second = decoded(old_root, tmp_path / "second")
    # Its header still counts as read, so that the others have three channels; its pixels do not.
    assert second.pixels_NHWC.shape == (299, 16, 16, 3)
    assert [file.id for file in second.left_out] == ["a/0.png"]
    for path in old_root.rglob("*.png"):
        spoil(path)
    found = look(old_root)  # what decoding has read of the whole files
    assert tuple(found.file_hashes) == first.file_hashes
    assert tuple(found.pixel_hashes) == first.pixel_hashes


def test_a_gray_file_that_turned_to_colour_unseen_is_left_out(
    old_root: Path, tmp_path: Path
) -> None:
    decoded(old_root, tmp_path / "first")
    path = old_root / "a" / "0.png"
    size = path.stat().st_size
    save(rgb(0, 2), path)
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert path.stat().st_size == size
    left_out = decoded(old_root, tmp_path / "second").left_out
    assert [file.reason.split(",")[0] for file in left_out] == ["in colour"]


@pytest.mark.parametrize("change", ["size", "time", "place"])
def test_a_changed_file_is_read_again(old_root: Path, change: str) -> None:
    first = look(old_root)
    path = old_root / "a" / "7.png"
    spoil(path)
    if change == "size":
        path.write_bytes(path.read_bytes() + b"?")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    elif change == "time":
        os.utime(path, ns=(LONG_AGO, LONG_AGO + 1))
    else:
        old_root.rename(old_root.with_name("elsewhere"))
        old_root = old_root.with_name("elsewhere")
    second = look(old_root)
    assert [file.id for file in second.unreadable] == ["a/7.png"]
    assert len(second.items) == len(first.items) - 1


def test_a_file_that_was_just_written_is_read_again(old_root: Path) -> None:
    path = save(gray(1, 6), old_root / "a" / "new.png")
    assert look(old_root).unreadable == []
    spoil(path)
    assert [file.id for file in look(old_root).unreadable] == ["a/new.png"]


def test_a_failure_is_tried_again(old_root: Path) -> None:
    path = old_root / "a" / "3.png"
    whole = path.read_bytes()
    spoil(path)
    assert [file.id for file in look(old_root).unreadable] == ["a/3.png"]
    path.write_bytes(whole)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert look(old_root).unreadable == []


def garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def holes(file: Path) -> None:
    with file.open("r+b") as whole:
        for page in range(1, file.stat().st_size // 4096):
            whole.seek(page * 4096 + 100)
            whole.write(bytes(2000))


def other_table(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE facts (something TEXT)")
    connection.close()


def nonsense(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE facts SET facts = '[1, 2'")
    connection.close()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [garbage, cut, holes, other_table, nonsense, a_folder])
def test_a_damaged_memory_costs_time_only(
    old_root: Path, forgetful: Path, damage: Callable[[Path], None]
) -> None:
    first = look(old_root)
    (file,) = forgetful.glob("*.sqlite")
    damage(file)
    assert look(old_root) == first
    look(old_root)  # made anew by now, where the old one was damaged
    assert look(old_root) == first
    if damage in (garbage, cut, nonsense):
        for path in old_root.rglob("*.png"):
            spoil(path)
        assert look(old_root) == first


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nothing/here"])
def test_a_place_that_cannot_be_written_to(
    old_root: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("MIXQUAL_CACHE", place)
    assert look(old_root) == look(old_root)


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["MIXQUAL_CACHE"])
    monkeypatch.delenv("MIXQUAL_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for base, expected in (
        ("/some/where", Path("/some/where/mixqual")),
        ("", tmp_path / ".cache" / "mixqual"),
        ("not/absolute", tmp_path / ".cache" / "mixqual"),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        assert cache_folder() == expected


def test_a_link_to_the_root_is_the_same_root(old_root: Path) -> None:
    first = look(old_root)
    link = old_root.with_name("link")
    link.symlink_to(old_root)
    for path in old_root.rglob("*.png"):
        spoil(path)
    assert look(link).file_hashes == first.file_hashes


def remember_in_a_process(paths: list[Path], number: int) -> None:
    with remembering(paths) as memory:
        for path in paths:
            memory.remember(path, (1, LONG_AGO), HEADER)
            memory.remember(path, (1, LONG_AGO), Content(str(number), "", False))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(1500)]
    for path in paths:
        path.write_bytes(b"x")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    context = multiprocessing.get_context("fork")
    processes = [
        # All begin with the same file, so that they have the same root.
        context.Process(target=remember_in_a_process, args=([paths[0], *paths[n::4]], n))
        for n in range(4)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork among threads
        for process in processes:
            process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with remembering(paths) as memory:
        known = memory.recall(paths)
    assert all(header == HEADER for header, _ in known)
    assert [content for _, content in known[1:]] == [
        Content(str(number % 4), "", False) for number in range(1, len(paths))
    ]


def test_another_writer_that_does_not_end_is_not_waited_for_long(
    old_root: Path, forgetful: Path
) -> None:
    first = look(old_root)
    (file,) = forgetful.glob("*.sqlite")
    os.utime(old_root / "a" / "0.png", ns=(LONG_AGO, LONG_AGO + 5))
    holder = sqlite3.connect(file)
    holder.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    assert look(old_root) == first
    assert time.monotonic() - start < 60
    holder.rollback()
    holder.close()


def test_a_stamp_tells_versions_apart(tmp_path: Path) -> None:
    path = save(gray(), tmp_path / "x.png")
    os.utime(path, ns=(0, 123_456_789))
    assert stamp_of(path) == (path.stat().st_size, 123_456_789)
    assert stamp_of(tmp_path / "gone.png") is None
