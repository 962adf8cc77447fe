"""The files of a data set's archive, read where they lie: nothing is unpacked."""

import bz2
import gzip
import io
import lzma
import os
import posixpath
import shutil
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

from mixqual.errors import DataError
from mixqual.images import Embedded

# Damage of an archive; an `OSError` of gzip's own is told from one of the disk by its number.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)
_OPENERS: Mapping[bytes, Callable[[IO[bytes]], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZ": bz2.BZ2File,
    b"\xfd7": lzma.LZMAFile,
}
"""By the first two bytes of what is compressed."""


@final
@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    name: str
    """With forward slashes, and without "./" before it."""
    offset: int
    """Where its bytes begin."""
    size: int
    """Bytes."""


@final
class Archive:
    """A .tar, compressed or not, or a .zip that holds one; any number of threads may read it.

    One that is not compressed is read in place. Else it is uncompressed into a temporary file, that
    has no name and is gone with this object.
    """

    def __init__(self, path: Path, inside_zip: str = "") -> None:
        """`inside_zip` names the archive in a .zip. Raises `DataError` if it cannot be read."""
        self.path = path
        with self._refusing():
            if path.suffix.lower() == ".zip":
                with zipfile.ZipFile(path) as outer, outer.open(self._find(outer, inside_zip)) as f:
                    self._number = _uncompressed(f)
            else:
                with path.open("rb") as file:
                    self._number = _uncompressed(file)
        weakref.finalize(self, os.close, self._number)

    def members(self, within: Member | None = None) -> list[Member]:
        """The regular files in it, or in an archive `within` it; links count as what they lead to.

        What lies outside of the archive's own folder is passed over, and a name that is there twice
        means the later one. Raises `DataError` if it is damaged.
        """
        start, end = (within.offset, within.offset + within.size) if within else (0, None)
        found: dict[str, Member] = {}
        links: dict[str, str] = {}
        with self._refusing(), os.fdopen(os.dup(self._number), "rb") as file:
            file.seek(start)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    name = posixpath.normpath(info.name)
                    if end is not None and info.offset_data + info.size > end:
                        break
                    if info.issym():
                        links[name] = posixpath.join(posixpath.dirname(name), info.linkname)
                    elif info.islnk():
                        links[name] = info.linkname
                    elif info.isreg() and not info.issparse():
                        found[name] = Member(name, info.offset_data, info.size)
        for name, target in links.items():
            if file_of := found.get(posixpath.normpath(target)):
                found[name] = Member(name, file_of.offset, file_of.size)
        return [found[name] for name in sorted(found) if not name.startswith(("../", "/"))]

    def read(self, member: Member) -> bytes:
        """The bytes of a file in it."""
        parts, offset, left = [], member.offset, member.size
        while left:  # a single call reads two gigabytes at most
            part = os.pread(self._number, left, offset)
            if not part:
                raise OSError(f"{self.path} ends too early")
            parts.append(part)
            offset, left = offset + len(part), left - len(part)
        return b"".join(parts)

    def content(self, row: int, member: Member) -> Embedded:
        """A file in it as an image to be."""
        return Embedded(
            str(self.path),
            row,
            member.size,
            lambda _: self.read(member),
            (str(self.path),),
            member.name,
        )

    def _find(self, outer: zipfile.ZipFile, wanted: str) -> str:
        # macOS adds ._NAME beside NAME.
        inner = [name for name in outer.namelist() if name.rpartition("/")[2] == wanted]
        if not inner:
            raise DataError(f"{self.path}: holds no {wanted}; is it the right archive?")
        return inner[0]

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno is not None:
                raise DataError(
                    f"{self.path}: cannot be read or uncompressed ({error.strerror}); make room in "
                    f"{tempfile.gettempdir()}, or unpack it yourself"
                ) from None
            raise self._damaged(error) from None
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: is damaged or incomplete ({error}); fetch it again")


def _uncompressed(file: IO[bytes]) -> int:
    """The number of an open file with what another one holds: itself, if it is on the disk so."""
    start = file.read(2)
    file.seek(0)
    opener = _OPENERS.get(start)
    if opener is None and not isinstance(file, zipfile.ZipExtFile):
        return os.dup(file.fileno())
    with tempfile.TemporaryFile() as temporary:
        if opener is None:
            shutil.copyfileobj(file, temporary)
        else:
            with opener(file) as plain:
                shutil.copyfileobj(plain, temporary)
        temporary.flush()
        return os.dup(temporary.fileno())
