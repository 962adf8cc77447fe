"""Live progress on the terminal: what runs, how fast, and how long it will take."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mixqual.file_names import printable, printable_lines

# Where standard error is no terminal (a log, CI), a line this often, in seconds.
_LINE_EVERY = 30.0

Advance = Callable[..., None]
"""`advance(steps, note="")`: so many more units are done; the note is shown beside them."""


@contextmanager
def progress(
    title: str, total: int, unit: str, done: int = 0, *, shown: bool = True
) -> Iterator[Advance]:
    """Show the progress of `total` units, of which `done` are done, until the block ends.

    Of several processes at the same work, one has it `shown`.
    """
    if not shown:
        yield lambda steps, note="": None
    elif sys.stderr.isatty():
        yield from _bar(title, total, unit, done)
    else:
        yield from _lines(title, total, unit, done)


def say(line: str) -> None:
    """Tell something that happened on the way, above a bar that is shown."""
    print(printable_lines(line), file=sys.stderr, flush=True)


def _bar(title: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(printable(title), total=total, completed=done, rate="", note="")
        start, count = time.monotonic(), 0

        def advance(steps: int, note: str = "") -> None:
            nonlocal count
            count += steps
            rate = count / max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=steps, rate=f"{rate:.0f} {unit}/s", note=note)

        yield advance


def _lines(title: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    count = 0

    def advance(steps: int, note: str = "") -> None:
        nonlocal count, last
        count += steps
        now = time.monotonic()
        if now - last < _LINE_EVERY and done + count < total:
            return
        last = now
        rate = count / max(now - start, 1e-9)
        left = total - done - count
        time_ = f"{left / max(rate, 1e-9):.0f} s left" if left > 0 else f"in {now - start:.0f} s"
        how = f"{rate:.0f}/s, {time_}{f'; {note}' if note else ''}"
        say(f"{printable(title)}: {done + count}/{total} {unit}, {how}")

    yield advance
