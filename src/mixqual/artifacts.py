"""What artifacts are made with: keys, files that are written whole or not at all, locks."""

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from mixqual.errors import RunError
from mixqual.nesting import MOST_LEVELS, too_deep

# Part of every key. Raised when the meaning of any artifact changes, so that none is misread.
FORMAT = 1


def key_of(parts: Mapping[str, Any]) -> str:
    """Return the 16-digit hexadecimal key of a JSON-able mapping; equal mappings, equal keys."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a kill, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    with refusing_full_disk(path):
        try:
            temporary.write_bytes(data)
            replace_durably(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename a file or a folder onto its place, so that a power cut leaves the old or the new.

    Contents are on the disk before the name is, and the name when this returns.
    """
    for inner in temporary.rglob("*") if temporary.is_dir() else ():
        sync(inner)
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(number)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically. NaN is refused: JSON has no such number."""
    write_atomically(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of a run; raises `RunError` if it is missing, damaged or unreadable."""
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; run the study again to make it") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); delete it and run the study again") from None


def parse_json(text: str) -> Any:
    """Parse JSON that mixqual writes; raises `ValueError` also for NaN, and what nests too deep."""
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite)
        deep = too_deep(value)
    except RecursionError:
        deep = True
    if deep:
        raise ValueError(f"lists and tables lie in each other over {MOST_LEVELS} deep")
    return value


def _refused(number: str) -> NoReturn:
    raise ValueError(f"{number} where a number should be")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refused(text)
    return number


_REFUSALS = (
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP),
)
"""What the operating system says of a place where nothing can be written, ever."""


@contextmanager
def refusing_full_disk(path: Path) -> Iterator[None]:
    """Turn 'no space left', 'read-only' and what else refuses into the place and the cure."""
    try:
        yield
    except OSError as error:
        number = _number_of(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"{path}: the disk is full; free some space and run the same command again: "
                "what is already computed is kept"
            ) from error
        if number in _REFUSALS:
            raise RunError(
                f"{path}: cannot be written ({os.strerror(number)}); choose another folder with "
                "--out"
            ) from error
        raise


def _number_of(error: OSError) -> int | None:
    """The operating system's number; of the files of a folder shutil tells it in words only."""
    found = re.search(r"\[Errno (\d+)\]", str(error)) if isinstance(error, shutil.Error) else None
    return int(found.group(1)) if found else error.errno


def make_folder(root: Path) -> None:
    """Make a folder with those above it, unless it is there; raises `RunError` if it cannot be."""
    with refusing_full_disk(root):
        try:
            root.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RunError(f"{root} is no folder; choose another place") from None
        except FileNotFoundError:  # where nothing can be made, as in /proc
            raise RunError(f"{root} cannot be made; choose another place") from None


def check_place(root: Path, folders: Iterable[str] = (), files: Iterable[str] = ()) -> None:
    """Raise `RunError` if a folder with these in it cannot be made; nothing is made.

    So that it is told before hours of work, not after.
    """
    with refusing_full_disk(root):
        for place in (root, *(root / name for name in folders)):
            if not _is_missing(place) and not os.path.isdir(place):
                raise RunError(f"{place} is no folder; move it away, or choose another place")
        for name in files:
            if os.path.isdir(root / name):
                raise RunError(
                    f"{root / name} is a folder, where a file belongs; move it away, or choose "
                    "another place"
                )
        above = Path(os.path.abspath(root))
        while _is_missing(above):
            above = above.parent
        if not os.path.isdir(above):
            raise RunError(f"{above} is no folder; choose another place than {root}")
        if not os.access(above, os.W_OK | os.X_OK):
            raise RunError(f"{above}: cannot be written; choose another place than {root}")


def _is_missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return False


@contextmanager
def holding(lock: Path) -> Iterator[None]:
    """Hold a lock file, waiting until whoever has it lets go; a process that dies lets go.

    So one artifact has one maker, on whatever node of a cluster, if the file system that they share
    passes `flock` on (NFS from version 4 on does).
    """
    with refusing_full_disk(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("a")
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold a run folder, so that two runs never write into one; raises `RunError` if it is held."""
    make_folder(root)
    with refusing_full_disk(root):
        handle = (root / ".lock").open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{root} is in use by another run; wait for it, or choose another --out"
            ) from None
        yield
