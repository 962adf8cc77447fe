"""`mixqual serve` in a process of its own, on this machine alone."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mixqual.errors import RunError

_READY = "ready at "


class Service(NamedTuple):
    """A service that is ready."""

    address: str
    process: int
    """Its number."""


@contextmanager
def serving(bundle: Path, *options: str) -> Iterator[Service]:
    """Serve a bundle at any free port of 127.0.0.1, with these options of the command.

    Raises `RunError` if it does not get ready, with what it said instead.
    """
    command = [sys.executable, "-m", "mixqual", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline().strip()
            if not said.startswith(_READY):
                raise RunError(f"the service did not start: {said or 'it said nothing'}")
            # Nobody reads what else it says; but if the pipe was full, it would wait.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Service(said.removeprefix(_READY), process.pid)
        finally:
            process.terminate()
