"""The command, as `mixqual` and as `python -m mixqual`, and how it ends when it is told to end.

It looks after signals before it imports anything that takes time.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import final

_RESUMED = "run"
"""The command that keeps what it has done, by its name."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@final
class Stopped(KeyboardInterrupt):
    """The command was told to end. For a bare `KeyboardInterrupt` Python would end by SIGINT."""


def main() -> None:
    """Run the command that `sys.argv` says.

    Told to end, by Ctrl+C or a signal, it cleans up, says how to go on, and exits with the code by
    which shells know that signal; told so once more, it exits at once.
    """
    with ending_in_words():
        from mixqual.cli import main as command

        command()


@contextmanager
def ending_in_words() -> Iterator[None]:
    """Have signals end what is done here as `main` says; afterwards they end the process."""
    told: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            _say_how_to_go_on(number)
            os._exit(_exit_code(number))
        raise Stopped

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)
    try:
        yield
    except BaseException:  # whatever the libraries that were interrupted have made of it
        if not told:
            raise
        _say_how_to_go_on(told[0])
        sys.exit(_exit_code(told[0]))
    finally:
        # The interpreter's own end may be cut short, and needs no traceback then.
        for number in _SIGNALS:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)


def _exit_code(number: int) -> int:
    return 128 + number


def _say_how_to_go_on(number: int) -> None:
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    on = " to go on where it stopped" if sys.argv[1:2] == [_RESUMED] else ""
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"\nstopped{by}; run the same command again{on}\n".encode())


if __name__ == "__main__":
    main()
