import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mixqual
from mixqual.errors import BundleError


def link(path: Path) -> None:
    path.with_name("elsewhere").write_text("theirs")
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "is no regular file, and is left as it is"),
        (link, "is no regular file, and is left as it is"),
        (Path.mkdir, "is a folder, and is left as it is"),
    ],
    ids=["pipe", "link", "folder"],
)
def test_export_replaces_nothing_but_a_file(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "out.mixqual"
    make(path)
    before = os.lstat(path)
    with pytest.raises(BundleError, match=message):
        mixqual.export(tmp_path / "run", path)
    assert os.lstat(path) == before


def test_export_leaves_devices_alone() -> None:
    with pytest.raises(BundleError, match="/dev/null is no regular file"):
        mixqual.export("run", "/dev/null")
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


def test_export_makes_no_folder_in_the_root() -> None:
    with pytest.raises(BundleError, match=r"/no-such-folder is not there, and would be made in /"):
        mixqual.export("run", "/no-such-folder/out.mixqual")
    assert not Path("/no-such-folder").exists()


@pytest.mark.parametrize("place", ["x" * 300, "file/below", f"{'x' * 300}/out.mixqual"])
def test_export_tells_of_a_place_that_cannot_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be written"):
        mixqual.export(tmp_path / "run", tmp_path / place)


@pytest.mark.parametrize(
    "command",
    [
        ["export", "{long}", "out.mixqual"],
        ["export", "run", "{long}.mixqual"],
        ["report", "{long}"],
        ["predict", "{long}", "a.png"],
        ["status", "{long}"],
        ["neurons", "{long}", "--stage", "x"],
        ["run", "{long}"],
        ["data", "check", "{long}"],
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_a_name_that_is_too_long_is_one_line(tmp_path: Path, command: list[str]) -> None:
    words = [word.replace("{long}", "x" * 300) for word in command]
    ended = subprocess.run(
        [sys.executable, "-m", "mixqual", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
