"""Standard streams that are closed or full, and arguments that are empty."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ended import Command
from finished_runs import Finished

# As the command does, with standard streams as the shell gives them.
COMMAND = [sys.executable, "-m", "mixqual"]


def shell(words: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command under a shell, which opens its streams."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f'"$@" {words}', "bash", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("arguments", [["distortions"], ["--version"], ["--help"]])
def test_a_full_standard_output_is_one_line(arguments: list[str]) -> None:
    ended = shell(">/dev/full", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: standard output cannot be written (No space left")
    assert ended.stderr.count("\n") == 1


def test_closed_streams_stop_nothing_and_take_no_file(cells_folder: Path, tmp_path: Path) -> None:
    streams = "<&- >&- 2>&-"
    image = next(cells_folder.rglob("*.png"))
    targets = {words: tmp_path / f"{len(words)}.png" for words in ("", streams)}
    for words, target in targets.items():
        ended = shell(words, "distort", image, target, "--distortion", "gaussian_blur=2")
        assert (ended.returncode, ended.stderr) == (0, "")
    assert targets[""].read_bytes() == targets[streams].read_bytes()


def test_a_reader_that_leaves_is_no_mistake() -> None:
    ended = shell("| head -c 1; exit ${PIPESTATUS[0]}", "--version")
    assert ended.returncode in (0, 1)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "study.toml", "--out", ""], "--out"),
        (["run", "study.toml", "--out="], "--out"),
        (["run", "study.toml", "--publish", ""], "--publish"),
        (["run", ""], "an argument"),
        (["report", "RUN", "--out", ""], "--out"),
        (["export", "RUN", ""], "an argument"),
        (["data", "check", ""], "an argument"),
        (["distort", "a", ""], "an argument"),
    ],
)
def test_an_empty_argument_is_no_current_folder(
    command: Command,
    finished: Finished,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    replaced = {"study.toml": str(finished[0]), "RUN": str(finished[1])}
    ended = command(*(replaced.get(word, word) for word in arguments))
    assert ended.refusal() == f"{name} is empty; give it a value, or leave it out"
    assert not os.listdir(tmp_path)


def test_an_override_may_end_in_an_equals_sign(command: Command, finished: Finished) -> None:
    ended = command("run", finished[0], "--dry-run", "--set", "runtime.cluster.scratch=")
    assert ended.code == 0, ended.err
