import errno
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.artifacts import (
    exclusive,
    holding,
    key_of,
    read_json,
    refusing_full_disk,
    replace_durably,
    write_atomically,
    write_json,
)
from mixqual.errors import RunError

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
mappings = st.dictionaries(st.text(max_size=8), json_values, max_size=5)


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


# Keys


@settings(deadline=None, max_examples=100)
@given(parts=mappings, data=st.data())
def test_a_key_does_not_depend_on_the_order(parts: dict[str, object], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(parts.items()))))
    assert key_of(shuffled) == key_of(parts)
    assert len(key_of(parts)) == 16
    assert int(key_of(parts), 16) >= 0


@settings(deadline=None, max_examples=100)
@given(one=mappings, other=mappings)
def test_keys_are_equal_for_equal_parts_only(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert (key_of(one) == key_of(other)) == (canonical(one) == canonical(other))


def test_every_detail_changes_the_key() -> None:
    alike: list[dict[str, object]] = [
        {"lr": 0.1},
        {"lr": 0.1 + 1e-16},
        {"lr": "0.1"},
        {"LR": 0.1},
        {"lr": [0.1]},
        {"lr": 0.1, "momentum": None},
        {"a": {"lr": 0.1}},
        {"lr": 1},
        {"lr": 1.0},
        {"lr": True},
        {"cells": [1, 2]},
        {"cells": [2, 1]},
        {},
    ]
    assert len({key_of(parts) for parts in alike}) == len(alike)


def test_a_key_takes_tuples_for_lists() -> None:
    assert key_of({"levels": (0.0, 1.0)}) == key_of({"levels": [0.0, 1.0]})


def test_keys_stay_what_they_were() -> None:
    # A change of the hash would make every finished run start again.
    assert key_of({"seed": 0, "size": 128, "distort": [["noise", 0.5]]}) == "22e12336d76e1c3e"


# Files written whole or not at all


@pytest.mark.parametrize(
    "content", ["größer\n", b"\x00\xff", "", "x" * 10**6], ids=["text", "bytes", "empty", "long"]
)
def test_content_is_written_as_it_is(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "file"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    write_atomically(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def full_disk_for(path: Path) -> Iterator[None]:
    """Let the temporary file of `path` land on a device that is always full."""
    path.with_name(f".{path.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    yield


def test_a_full_disk_leaves_the_old_content_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"old": 1})
    with full_disk_for(path), pytest.raises(RunError) as caught:
        write_json(path, {"new": 2})
    assert str(caught.value).startswith(f"{path}: the disk is full; free some space")
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]
    write_json(path, {"new": 2})
    assert read_json(path) == {"new": 2}


def test_what_is_no_json_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"auc": math.nan})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"path": path})
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_content(tmp_path: Path) -> None:
    # The reader opens the old file while another process writes new ones without a pause, and is
    # killed: whatever is there is whole.
    path = tmp_path / "counter.json"
    write_json(path, {"content": "0" * 5000})
    code = (
        "import sys; from pathlib import Path; from mixqual.artifacts import write_json\n"
        "number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    write_json(Path(sys.argv[1]), {'content': str(number % 10) * 5000})\n"
        "    if number == 1: print('started', flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment()
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"started\n"
        seen = set()
        for _ in range(300):
            content = read_json(path)["content"]
            assert len(content) == 5000
            assert len(set(content)) == 1
            seen.add(content[0])
    finally:
        writer.kill()
        writer.communicate()
    assert len(seen) > 1
    assert len(set(read_json(path)["content"])) == 1


@settings(deadline=None, max_examples=60)
@given(value=json_values)
def test_json_comes_back(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.json is missing; run the study again"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\xfd"], ids=repr)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"weights\.json is damaged .* delete it"):
        read_json(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    unreadable = tmp_path / "results.json"
    unreadable.symlink_to("/proc/self/mem")  # which nobody can read from its beginning
    with pytest.raises(RunError, match=r"results\.json cannot be read \(Input/output error\)"):
        read_json(unreadable)


def test_a_file_of_too_many_brackets_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(RunError, match=r"deep\.json is damaged"):
        read_json(tmp_path / "deep.json")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_name_comes_after_what_it_names_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A power cut loses what was not synced: nothing may have its name before it was."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(number: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{number}")).name)
        fsync(number)

    def noted_replace(old: Path, new: Path) -> None:
        order.append(f"-> {new.name}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    half = tmp_path / "half"
    if kind == "folder":
        (half / "inner").mkdir(parents=True)
        (half / "inner" / "file").write_text("content")
    else:
        half.write_text("content")
    replace_durably(half, tmp_path / "whole")
    before, after = order[: order.index("-> whole")], order[order.index("-> whole") + 1 :]
    assert set(before) == ({"half", "inner", "file"} if kind == "folder" else {"half"})
    assert after == [tmp_path.name]


# Disks that refuse


def test_a_full_disk_is_told_from_other_errors(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=f"^{tmp_path}: the disk is full"),
        refusing_full_disk(tmp_path),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")
    with pytest.raises(FileNotFoundError), refusing_full_disk(tmp_path):
        (tmp_path / "none").read_bytes()
    with pytest.raises(ZeroDivisionError), refusing_full_disk(tmp_path):
        1 / 0  # noqa: B018


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "choose another folder with --out"),
        (errno.EACCES, "choose another folder with --out"),
        (errno.EPERM, "choose another folder with --out"),
        (errno.ENAMETOOLONG, "choose another folder with --out"),
        (errno.ENOTDIR, "choose another folder with --out"),
        (errno.EISDIR, "choose another folder with --out"),
        (errno.EEXIST, "choose another folder with --out"),
        (errno.ELOOP, "choose another folder with --out"),
    ],
    ids=lambda code: errno.errorcode.get(code, ""),
)
def test_every_refusal_names_the_place_and_the_cure(code: int, message: str) -> None:
    with (
        pytest.raises(RunError, match=f"^runs/a: .*{message}"),
        refusing_full_disk(Path("runs/a")),
    ):
        raise OSError(code, os.strerror(code))


def test_a_folder_that_cannot_be_made_is_named() -> None:
    # In /sys nobody can make a folder, not even root.
    with (
        pytest.raises(RunError, match=r"^/sys/run: cannot be written"),
        exclusive(Path("/sys/run")),
    ):
        pass


def test_a_full_disk_is_named_where_a_folder_is_copied() -> None:
    """shutil tells of the files of a folder in words, and has no number for them."""
    failed = shutil.Error([("a", "b", str(OSError(28, "No space left on device")))])
    with pytest.raises(RunError, match="the disk is full"), refusing_full_disk(Path("runs/mine")):
        raise failed


# One run at a time

HOLD = (
    "import sys; from pathlib import Path; from mixqual.artifacts import exclusive\n"
    "with exclusive(Path(sys.argv[1])):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": ":".join(sys.path)}


# One maker at a time

HOLD_LOCK = HOLD.replace("exclusive", "holding")


def test_a_lock_is_waited_for_until_its_owner_dies(tmp_path: Path) -> None:
    lock, freed = tmp_path / ".locks" / "network-1", threading.Event()
    with held_by_another_process(lock, HOLD_LOCK) as holder:
        got: list[bool] = []

        def take() -> None:
            with holding(lock):
                got.append(freed.is_set())

        waiting = threading.Thread(target=take)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        with holding(lock.with_name("network-2")):  # another artifact is free
            pass
        freed.set()
        holder.kill()
        waiting.join(10)
    assert got == [True]


@contextmanager
def held_by_another_process(root: Path, how: str = HOLD) -> Iterator[subprocess.Popen[bytes]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", how, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_a_run_folder_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "runs" / "new"
    entered = False
    with held_by_another_process(root) as holder:
        with pytest.raises(RunError, match="new is in use by another run"), exclusive(root):
            entered = True
        # An end without a clean-up, as after a kill, frees the folder.
        holder.kill()
        holder.wait()
        with exclusive(root):
            pass
    assert not entered


def test_other_run_folders_are_free(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path / "one"), exclusive(tmp_path / "other"):
        assert (tmp_path / "other").is_dir()


def test_a_run_folder_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        raise ZeroDivisionError
    with exclusive(tmp_path):
        pass


def test_a_file_in_the_place_of_the_run_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(RunError, match=f"^{root} is no folder"), exclusive(root):
            pass


def test_a_run_folder_where_none_can_be_is_named() -> None:
    with pytest.raises(RunError, match=r"^/proc/run cannot be made"), exclusive(Path("/proc/run")):
        pass
