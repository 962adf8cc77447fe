"""Starting Python with mixqual, and its command, against starting Python alone."""

import subprocess
import sys
from functools import partial

from mixqual.bench.timing import Ratio, compare

_REPETITIONS = 15

_STARTS = {
    "import mixqual": ("-c", "import mixqual"),
    "mixqual --help": ("-m", "mixqual", "--help"),
    "mixqual run --help": ("-m", "mixqual", "run", "--help"),
}
"""What is started, as arguments of Python."""


def measure() -> list[Ratio]:
    """Each start in a process of its own."""
    return [
        compare(
            what,
            partial(_start, *arguments),
            "floor: python -c pass",
            partial(_start, "-c", "pass"),
            settings="a process each, files in the system's cache",
            repetitions=_REPETITIONS,
        )
        for what, arguments in _STARTS.items()
    ]


def _start(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
