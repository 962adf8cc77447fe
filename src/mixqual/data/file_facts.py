"""What was read of image files before, so that an unchanged file need not be opened again.

One SQLite database for each root of images, outside of all runs: in $MIXQUAL_CACHE, or else in
mixqual/ under $XDG_CACHE_HOME or ~/.cache. A file counts as unchanged while its size and its time
of change, in nanoseconds, are the same. What cannot be read is tried again each time. A database
that is damaged is made anew, and one that cannot be used costs time but never an error, so that
MIXQUAL_CACHE=/dev/null turns it off. Any number of processes may use one at the same time.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple, TypeVar, final

import PIL

from mixqual.artifacts import key_of
from mixqual.images import Content, Embedded, Header

Job = TypeVar("Job")
Stamp = tuple[int, int]
"""Size in bytes, and time of change in nanoseconds."""


class Known(NamedTuple):
    """What is remembered of a file."""

    header: Header | None = None
    content: Content | None = None


_FORMAT = 2  # raised when what `Header` or `Content` hold, or how it is found, changes
_ROWS = 1000  # that are written at once
_WAIT = 5.0  # seconds for another process that is writing
_SETTLED = 2_000_000_000  # ns: a file that is younger may still change within the same tick

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    path BLOB, kind TEXT, size INTEGER, changed INTEGER, facts TEXT, PRIMARY KEY (path, kind)
) WITHOUT ROWID
"""
_FIND = "SELECT path, kind, size, changed, facts FROM facts WHERE path IN "
_AT_ONCE = 200  # files that are looked for


def cache_folder() -> Path:
    """Where such databases are kept; raises `RuntimeError` for a user without a home."""
    named = os.environ.get("MIXQUAL_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "mixqual"


def stamp_of(path: Path | Embedded) -> Stamp | None:
    """Tell a version of a file from others; None if it has no file of its own or is not there."""
    if isinstance(path, Embedded):
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    # A time that the database cannot hold is beyond the year 2262.
    return (status.st_size, status.st_mtime_ns) if abs(status.st_mtime_ns) < 2**63 else None


@contextmanager
def remembering(paths: Iterable[Path | Embedded]) -> Iterator["Memory"]:
    """Open what is remembered of files, which should be all of a root's; save it at the end."""
    files = [os.fspath(path) for path in paths if not isinstance(path, Embedded)]
    # The common beginning of all is that of the first and the last in order.
    ends = zip(min(files, default=""), max(files, default=""), strict=False)
    common = "".join(left for left, right in takewhile(lambda pair: pair[0] == pair[1], ends))
    memory = Memory(common[: common.rfind("/") + 1])
    try:
        yield memory
    finally:
        memory.close()


def recalling(
    jobs: Iterable[Job], path_of: Callable[[Job], Path | Embedded], memory: "Memory"
) -> Iterator[tuple[Job, Known]]:
    """Yield each job with what is remembered of its file, some jobs ahead."""
    waiting = iter(jobs)
    while some := list(islice(waiting, _AT_ONCE)):
        yield from zip(some, memory.recall([path_of(job) for job in some]), strict=True)


@final
class Memory:
    """The facts of the files whose paths begin with a root; may be used by several threads."""

    def __init__(self, root: str) -> None:
        self._start = len(root)
        self._file, self._connection = _connect(root)
        self._rows: list[tuple[bytes, str, int, int, str]] = []
        self._lock = threading.Lock()

    def recall(self, paths: Sequence[Path | Embedded]) -> list[Known]:
        """What was remembered of each file, if it has not changed since."""
        if self._connection is None:
            return [Known()] * len(paths)
        names = [self._name(path) for path in paths]
        stamps = {name: stamp_of(path) for name, path in zip(names, paths, strict=True)}
        headers: dict[bytes, Header] = {}
        contents: dict[bytes, Content] = {}
        for name, kind, size, changed, text in self._find(names):
            if stamps[name] != (size, changed):
                continue
            try:
                if kind == "header":
                    headers[name] = Header(*json.loads(text))
                else:
                    contents[name] = Content(*json.loads(text))
            except (TypeError, ValueError):  # damaged: as good as unknown
                continue
        return [Known(headers.get(name), contents.get(name)) for name in names]

    def remember(self, path: Path | Embedded, stamp: Stamp | None, facts: Header | Content) -> None:
        """Keep what was read of a file whose stamp was taken before it was read."""
        if stamp is None or time.time_ns() - stamp[1] < _SETTLED:
            return
        kind = "header" if isinstance(facts, Header) else "content"
        row = (self._name(path), kind, *stamp, json.dumps(facts))
        with self._lock:
            self._rows.append(row)
            if len(self._rows) >= _ROWS:
                self._save()

    def close(self) -> None:
        """Save what is not saved yet."""
        with self._lock:
            self._save()
            self._give_up()

    def _name(self, path: Path | Embedded) -> bytes:
        return os.fsencode(str(path)[self._start :])

    def _find(self, names: list[bytes]) -> list[tuple[bytes, str, int, int, str]]:
        with self._lock:
            if self._connection is None:
                return []
            try:
                query = f"{_FIND} ({', '.join('?' * len(names))})"
                return self._connection.execute(query, names).fetchall()
            except sqlite3.Error as error:
                self._give_up(error)
                return []

    def _save(self) -> None:
        rows, self._rows = self._rows, []
        if self._connection is None or not rows:
            return
        try:
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: sqlite3.Error | None = None) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        if self._file is not None and _is_damage(error):
            self._file.unlink(missing_ok=True)


def _connect(root: str) -> tuple[Path | None, sqlite3.Connection | None]:
    """Open the database of a root, making it anew if it is damaged; None if that fails."""
    parts = {"files": os.path.realpath(root), "pillow": PIL.__version__, "facts": _FORMAT}
    try:
        file = cache_folder() / f"files-{key_of(parts)}.sqlite"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return file, _open(file)
        except sqlite3.Error as error:
            if not _is_damage(error):  # busy, or not to be written: not for us to take away
                return None, None
            file.unlink()
            return file, _open(file)
    except (OSError, RuntimeError, sqlite3.Error):
        return None, None


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_WAIT, check_same_thread=False)
    try:
        connection.execute(_TABLE)
        connection.execute(f"{_FIND} (?)", (b"",)).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.Error | None) -> bool:
    """Whether an error means that the file is no database, or no longer a sound one."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    )
