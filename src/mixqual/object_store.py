"""Objects in a shared folder or an object store, through fsspec. Nothing else knows fsspec."""

import errno
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar, final

from mixqual.artifacts import refusing_full_disk
from mixqual.errors import RunError
from mixqual.progress import say

# Seconds for which one call is tried again before the store is given up.
_PATIENCE = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# Written when a store is opened, to see that it can be.
_PROBE = "mixqual.json"

Answer = TypeVar("Answer")


class _FileSystem(Protocol):
    """What is used of fsspec's."""

    def pipe_file(self, path: str, value: bytes) -> Any: ...

    def put_file(self, lpath: str, rpath: str) -> Any: ...

    def cat_file(self, path: str) -> bytes: ...

    def get_file(self, rpath: str, lpath: str) -> Any: ...

    def find(self, path: str) -> list[str]: ...

    def rm_file(self, path: str) -> Any: ...


@final
class ObjectStore:
    """Named objects below a URL such as `s3://bucket/prefix`, `gs://…`, `file://…`.

    A call that fails for a reason that may pass (the store answers with an error or not at all) is
    tried again after 0.5, 1, 2 … seconds, 30 at most, for 10 minutes. Then, and at once if the
    store refuses, it raises `RunError`.
    """

    def __init__(self, url: str) -> None:
        """Connect, and write an object to see that it can be done."""
        self.url = url.rstrip("/")
        self._files, self._root = _connected(self.url)
        try:
            self.write(_PROBE, json.dumps({"mixqual": version("mixqual")}).encode())
            self.read(_PROBE)
        except FileNotFoundError as error:
            raise RunError(f"{self.url} is not there: {_line(error)}; make it first") from None

    def write(self, name: str, content: bytes) -> None:
        """Write a whole object; one of that name is replaced."""
        with refusing_full_disk(Path(self.url)):
            self._insist(lambda: self._files.pipe_file(self._path(name), content))

    def read(self, name: str) -> bytes:
        """The content of an object; raises `FileNotFoundError` if there is none."""
        return self._insist(lambda: self._files.cat_file(self._path(name)))

    def upload(self, path: Path, name: str) -> None:
        """Write a file as an object."""
        with refusing_full_disk(Path(self.url)):
            self._insist(lambda: self._files.put_file(str(path), self._path(name)))

    def download(self, name: str, path: Path) -> None:
        """Write an object into a file; raises `FileNotFoundError` if there is none.

        Raises `OSError` if the file's disk is full.
        """
        self._insist(lambda: self._files.get_file(self._path(name), str(path)))

    def names(self, under: str) -> list[str]:
        """The objects whose names begin with `under` and a slash, sorted, without these."""
        start = f"{self._path(under)}/"
        found = self._insist(lambda: self._files.find(start))
        return sorted(path.removeprefix(start) for path in found)

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._insist(lambda: self._files.rm_file(self._path(name)))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        start, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return call()
            except FileNotFoundError:
                raise
            except Exception as error:  # each store has kinds of its own
                if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                    raise
                if _is_refusal(error):
                    raise RunError(f"{self.url} refuses: {_line(error)}") from None
                passed = time.monotonic() - start
                if passed + pause > _PATIENCE:
                    raise RunError(
                        f"{self.url} fails: {_line(error)} (tried for {passed:.0f} s). What is "
                        "computed is kept; run the same command again once the store works"
                    ) from None
                say(f"{self.url}: {_line(error)}; trying again in {pause:g} s")
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)


def _connected(url: str) -> tuple[_FileSystem, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
        from fsspec.utils import get_protocol
    except ImportError:
        raise RunError(
            'a store needs fsspec, which the store extra brings: pip install "mixqual[store]"'
        ) from None
    # Object stores know no folders; asked to make one, some make a bucket.
    folders = {"auto_mkdir": True} if get_protocol(url) in ("file", "local") else {}
    try:
        # What others write must be seen, so nothing of it is remembered.
        files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **folders)
    except (ImportError, ValueError) as error:
        raise RunError(f"{url} cannot be a store: {_line(error)}") from None
    return files, root.rstrip("/")


def _is_refusal(error: Exception) -> bool:
    """Whether trying again would end the same way."""
    return (
        isinstance(error, (PermissionError, ImportError, TypeError, ValueError))
        or getattr(error, "errno", None) == errno.EINVAL  # what "bad request" is told as
        # Each provider has an error of its own for credentials that are not there.
        or "Credential" in type(error).__name__
    )


def _line(error: Exception) -> str:
    """One line that names what happened."""
    lines = str(error).split("\n")
    return f"{type(error).__name__}: {lines[0].strip() or 'no message'}"
