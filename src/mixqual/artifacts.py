"""Artifacts: folders named by a hash of everything they depend on, written atomically.

A stage writes into `NAME-KEY.partial/`, which survives a kill so that the stage can resume, and
the folder is renamed to `NAME-KEY/` when the stage is complete. A changed setting changes the key,
so only what depends on it is computed again.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from mixqual.errors import RunError

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
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically. NaN is refused: JSON has no such number."""
    write_atomically(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of a run; raises `RunError` if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; run the study again to make it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it and run the study again") from None


@contextmanager
def refusing_full_disk(path: Path) -> Iterator[None]:
    """Turn 'no space left' and 'read-only' into a message that names the place and the cure."""
    try:
        yield
    except OSError as error:
        number = _number_of(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"{path}: the disk is full; free some space and run the same command again: "
                "what is already computed is kept"
            ) from error
        if number in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise RunError(
                f"{path}: cannot be written ({os.strerror(number)}); choose another folder with "
                "--out"
            ) from error
        raise


def _number_of(error: OSError) -> int | None:
    """The operating system's number; of the files of a folder shutil tells it in words only."""
    found = re.search(r"\[Errno (\d+)\]", str(error)) if isinstance(error, shutil.Error) else None
    return int(found.group(1)) if found else error.errno


def earlier_artifacts(runs: Sequence[Path]) -> list[Path]:
    """Where the artifacts of earlier runs are; raises `RunError` for a folder without a run."""
    for run in runs:
        if not (run / "artifacts").is_dir():
            raise RunError(f"{run} holds no earlier run: it has no artifacts to reuse")
    return [run / "artifacts" for run in runs]


@final
class ArtifactStore:
    """The artifacts of one run folder, and of earlier runs that it may take them from."""

    def __init__(self, root: Path, earlier: Sequence[Path] = ()) -> None:
        self.root = root
        self._earlier = tuple(earlier)

    def path(self, stage: str, key: str) -> Path:
        """Where the finished artifact of a stage stands, or will stand."""
        return self.root / f"{stage}-{key}"

    def is_done(self, stage: str, key: str) -> bool:
        """Whether the stage is complete."""
        return self.path(stage, key).is_dir()

    def find(self, name: str) -> Path:
        """Where an artifact stands, here or in an earlier run; where it would be made otherwise."""
        places = [root / name for root in (self.root, *self._earlier)]
        return next((place for place in places if place.is_dir()), places[0])

    def adopt(self, name: str) -> None:
        """Copy an artifact that is lacking here from an earlier run that has it, if one does."""
        target, source = self.root / name, self.find(name)
        if target.exists() or source == target:
            return
        copy = self.root / f"{name}.copy"
        with refusing_full_disk(target):
            shutil.rmtree(copy, ignore_errors=True)  # of a copy that was interrupted
            shutil.copytree(source, copy)
            os.replace(copy, target)

    def build(self, stage: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the stage's folder, calling `make(partial_folder)` first if it is not done.

        `make` may find what an interrupted call left in the folder, and may continue from it.
        """
        done = self.path(stage, key)
        if done.is_dir():
            return done
        partial = done.with_name(done.name + ".partial")
        with refusing_full_disk(partial):
            partial.mkdir(parents=True, exist_ok=True)
            make(partial)
            os.replace(partial, done)
        return done

    def discard_half_written(self) -> None:
        """Remove the files that zarr was writing when its process was killed.

        It replaces each file by a whole one and never looks at these again. Nobody may write
        meanwhile.
        """
        for path in self.root.rglob("*.partial"):
            if path.is_file():  # a folder is a stage that goes on from it
                path.unlink()


def make_folder(root: Path) -> None:
    """Make a folder with those above it, unless it is there; raises `RunError` if it cannot be."""
    with refusing_full_disk(root):
        try:
            root.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RunError(f"{root} is no folder; choose another with --out") from None
        except FileNotFoundError:  # where nothing can be made, as in /proc
            raise RunError(f"{root} cannot be made; choose another with --out") from None


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
