"""How a command ended, for tests that run it."""

import re
from collections.abc import Callable
from typing import NamedTuple

_PROGRESS = re.compile(r": \d+/\d+ \w+, \d+/s, (in )?\d+ s")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one message of a command that refused its input: exit code 2, no traceback."""
        assert self.code == 2, self
        assert self.out == ""
        lines = [line for line in self.err.splitlines() if not _PROGRESS.search(line)]
        assert "Traceback" not in self.err
        assert lines[0].startswith("error: ")
        assert all(line.startswith("  ") for line in lines[1:]), "more than one message"
        return "\n".join(lines).removeprefix("error: ")


Command = Callable[..., Ended]
