"""Finished artifacts in an object store, for other machines and later runs.

An artifact is the objects `artifacts/NAME/…`, one a file, and `finished/NAME.json`, which is
written last and lists their sizes and SHA-256: without it, the artifact is not there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, final

from mixqual.artifacts import refusing_full_disk
from mixqual.object_store import ObjectStore
from mixqual.progress import say


@final
@dataclass(frozen=True)
class _Marker:
    """What makes an artifact finished: what is said of it, and each file's size and SHA-256."""

    about: dict[str, Any]
    files: dict[str, tuple[int, str]]


@final
class Mirror:
    """The artifacts of a store. Raises `RunError` as `ObjectStore` does.

    An artifact that is found damaged is taken off the store, with a line that says so, and counts
    as not made.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._known: dict[str, _Marker] = {}  # what is finished never changes

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._objects.url

    def finished(self, under: str) -> list[str]:
        """The finished artifacts whose names begin with `under` and a slash."""
        names = self._objects.names(f"finished/{under}")
        return [f"{under}/{name.removesuffix('.json')}" for name in names]

    def has(self, name: str) -> bool:
        """Whether an artifact is finished."""
        return self._marker(name) is not None

    def about(self, name: str) -> Mapping[str, Any] | None:
        """What was said of an artifact when it was published; None if it is not finished."""
        marker = self._marker(name)
        return marker.about if marker else None

    def publish(
        self,
        name: str,
        contents: Iterable[tuple[str, Path | bytes]],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Upload an artifact, unless it is finished: its files by relative name.

        `about` is anything that JSON holds.
        """
        if self.has(name):
            return
        files: dict[str, tuple[int, str]] = {}
        for relative, content in contents:
            files[relative] = _size_and_digest(content)
            if isinstance(content, Path):
                self._objects.upload(content, _object(name, relative))
            else:
                self._objects.write(_object(name, relative), content)
        marker = _Marker(dict(about or {}), files)
        self._objects.write(_marker_of(name), json.dumps(vars(marker)).encode())
        self._known[name] = marker

    def fetch(self, name: str, target: Path) -> bool:
        """Download an artifact as the folder `target`, which appears whole.

        Returns whether the artifact was there, and as it was uploaded.
        """
        marker = self._marker(name)
        if marker is None:
            return False
        copy = target.with_name(f"{target.name}.copy")
        with refusing_full_disk(target):
            shutil.rmtree(copy, ignore_errors=True)  # of a download that was interrupted
            copy.mkdir(parents=True)
            for relative in marker.files:
                path = copy / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._objects.download(_object(name, relative), path)
                except FileNotFoundError:
                    path.unlink(missing_ok=True)
                if not self._is_whole(name, relative, path if path.exists() else None):
                    shutil.rmtree(copy)
                    return False
            os.replace(copy, target)
        return True

    def read(self, name: str, relative: str) -> bytes | None:
        """One file of a finished artifact; None if it is not as it was uploaded."""
        try:
            content = self._objects.read(_object(name, relative))
        except FileNotFoundError:
            content = None
        return content if self._is_whole(name, relative, content) else None

    def publish_report(self, study: str, root: Path, paths: Sequence[Path]) -> None:
        """Upload the files of a report below `root` into `results/STUDY/`, results.json last."""
        for path in sorted(paths, key=lambda path: path.name == "results.json"):
            name = f"results/{study}/{path.relative_to(root).as_posix()}"
            self._objects.upload(path, name)

    def _marker(self, name: str) -> _Marker | None:
        if name not in self._known:
            try:
                content = self._objects.read(_marker_of(name))
            except FileNotFoundError:
                return None
            marker = _parsed(content)
            if marker is None:
                self._take_off(name, "its list of files is damaged")
                return None
            self._known[name] = marker
        return self._known[name]

    def _is_whole(self, name: str, relative: str, content: Path | bytes | None) -> bool:
        marker = self._marker(name)
        if marker is None:
            return False
        if content is not None and _size_and_digest(content) == marker.files[relative]:
            return True
        state = "missing" if content is None else "damaged"
        self._take_off(name, f"its {relative} is {state}")
        return False

    def _take_off(self, name: str, why: str) -> None:
        say(f"{self.url}: {name} is not used, as {why}; it counts as not made")
        self._objects.remove(_marker_of(name))
        self._known.pop(name, None)


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder by relative name, sorted; folders without a file are left out."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.relative_to(folder).as_posix(), path


def _object(name: str, relative: str) -> str:
    return f"artifacts/{name}/{relative}"


def _marker_of(name: str) -> str:
    return f"finished/{name}.json"


def _parsed(content: bytes) -> _Marker | None:
    """A marker, if it is a whole one and names no file outside of its artifact."""
    try:
        table = json.loads(content)
        files = {
            str(relative): (int(size), str(digest))
            for relative, (size, digest) in table["files"].items()
        }
        marker = _Marker(dict(table["about"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    paths = [PurePosixPath(relative) for relative in files]
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        return None
    return marker


def _size_and_digest(content: Path | bytes) -> tuple[int, str]:
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
