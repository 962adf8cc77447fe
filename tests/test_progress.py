import io
import re
import sys

import pytest

from mixqual import progress as module
from mixqual.progress import progress


def test_a_log_gets_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("work", 10, "images") as advance:
        for _ in range(5):
            advance(2, "loss 0.5")
    ended = capsys.readouterr()
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert re.fullmatch(r"work: 10/10 images, \d+/s, in \d+ s; loss 0\.5", line)


def test_a_log_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINE_EVERY", -1.0)
    with progress("work", 10, "images", done=4) as advance:
        for _ in range(3):
            advance(2)
    lines = capsys.readouterr().err.splitlines()
    for line, count in zip(lines[:2], (6, 8), strict=True):
        assert re.fullmatch(rf"work: {count}/10 images, \d+/s, \d+ s left", line)
    assert re.fullmatch(r"work: 10/10 images, \d+/s, in \d+ s", lines[2])
    assert len(lines) == 3


def test_a_title_is_one_line_whatever_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles hold names of models and files."""
    with progress("\x1b[2J[red]a\nb", 1, "images") as advance:
        advance(1)
    assert capsys.readouterr().err.startswith(r"\x1b[2J[red]a\nb: 1/1 images, ")


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with progress("work", 10, "images", done=4) as advance:
        advance(6, "loss 0.5")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "work" in shown
    assert "10/10" in shown
    assert re.search(r"\d+ images/s", shown)
    assert "left" in shown
    assert "loss 0.5" in shown


def test_other_processes_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("work", 2, "images", shown=False) as advance:
        advance(2, "loss 0.5")
    assert capsys.readouterr().err == ""


def test_an_error_passes_through() -> None:
    with pytest.raises(KeyError), progress("work", 2, "images"):
        raise KeyError("x")
