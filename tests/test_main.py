"""The command is told to end: at any moment it says how to go on, with the code of the signal."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import killable
import pytest
from finished_runs import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORDS = {
    signal.SIGINT: "stopped; run the same command again",
    signal.SIGTERM: "stopped by SIGTERM; run the same command again",
    signal.SIGHUP: "stopped by SIGHUP; run the same command again",
}


def as_in_a_terminal() -> None:
    """What runs the tests may ignore signals, as shells have their background jobs do."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        preexec_fn=as_in_a_terminal,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_caught(process: subprocess.Popen[str], number: int) -> None:
    """Return as soon as a process does not leave a signal to the system any more."""
    status = Path(f"/proc/{process.pid}/status")
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        (caught,) = (line for line in status.read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
    raise AssertionError(process.poll())


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("number", SIGNALS)
def test_while_it_imports(tmp_path: Path, number: signal.Signals, after: float) -> None:
    with started("-m", "mixqual", "run", tmp_path / "study.toml", "--dry-run") as process:
        wait_until_caught(process, signal.SIGHUP)  # the last of them
        time.sleep(after)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert said == f"\n{WORDS[number]} to go on where it stopped\n"
    assert process.returncode == 128 + number


def ended(body: str, *arguments: str) -> tuple[int, str]:
    """How a process ends whose command is this code."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    code = (
        "import os, signal, sys\nfrom mixqual.__main__ import ending_in_words\n"
        f"with ending_in_words():\n{lines}"
    )
    with started("-c", code, *arguments) as process:
        _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("how", ["", "exec", "as another error", "as an exit"])
def test_whatever_the_interrupted_make_of_it(number: signal.Signals, how: str) -> None:
    """Python itself ends by SIGINT once a bare KeyboardInterrupt has passed through exec."""
    body = {
        "": "KILL",
        "exec": 'exec("KILL")',
        "as another error": "try: KILL\nexcept KeyboardInterrupt: raise ImportError",
        "as an exit": "try: KILL\nexcept KeyboardInterrupt: sys.exit(1)",
    }[how]
    code, said = ended(body.replace("KILL", f"os.kill(os.getpid(), {int(number)})"), "predict")
    assert code == 128 + number
    assert said == f"\n{WORDS[number]}\n"


def test_told_twice_it_ends_at_once() -> None:
    kill = f"os.kill(os.getpid(), {int(signal.SIGTERM)})"
    code, said = ended(f"try: {kill}\nfinally:\n    {kill}\n    print('not this', file=sys.stderr)")
    assert code == 143
    assert said == f"\n{WORDS[signal.SIGTERM]}\n"


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup, which ignores SIGHUP."""
    body = "os.kill(os.getpid(), signal.SIGHUP); print('goes on', file=sys.stderr)"
    code = (
        "import os, signal, sys\nfrom mixqual.__main__ import ending_in_words\n"
        f"signal.signal(signal.SIGHUP, signal.SIG_IGN)\nwith ending_in_words(): {body}"
    )
    with started("-c", code) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "goes on\n")


def test_other_errors_stay_what_they_are() -> None:
    code, said = ended("raise ValueError('mine')")
    assert code == 1
    assert "ValueError: mine" in said
    assert ended("sys.exit(2)") == (2, "")


def run_here(said: str, *arguments: str) -> None:
    """Run the command, for a process of its own; what it says goes into a file."""
    with open(said, "w") as file:
        os.dup2(file.fileno(), 2)
    as_in_a_terminal()
    sys.argv = ["mixqual", *arguments]
    importlib.import_module("mixqual.__main__").main()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "begun"),
    list(zip(SIGNALS, ["images-*", "network-*.partial", "outputs-*"], strict=True)),
)
def test_while_it_works(tmp_path: Path, plain_run: Run, number: signal.Signals, begun: str) -> None:
    said, out = tmp_path / "said", tmp_path / "out"
    process = killable.start(run_here, str(said), "run", str(plain_run.study), "--out", str(out))
    limit = time.monotonic() + 60
    while not any((out / "artifacts").glob(begun)) and time.monotonic() < limit:
        time.sleep(0.001)
    assert process.pid
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number
    assert said.read_text().endswith(f"\n{WORDS[number]} to go on where it stopped\n")
    assert "Traceback" not in said.read_text()
