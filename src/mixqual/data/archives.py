"""Unpacking a data set's archive beside itself, once."""

import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mixqual.artifacts import write_json
from mixqual.errors import DataError


def unpack(archive: Path, folder: str) -> Path:
    """Unpack the folder of that name from an archive, and return where it stands: beside it.

    The archive is a .tar, packed or not, or a .zip that holds `folder`.tar.gz. The folder appears
    when all of it is there, and is then taken as it is. Raises `DataError` if the archive is
    damaged, lacks the folder, reaches outside of it, is another than the one that the folder was
    unpacked from, or there is no room.
    """
    target = archive.parent / folder
    partial = archive.parent / f".{folder}.partial"
    if target.is_dir():
        _refuse_another(archive, target)
        return target
    if not hasattr(tarfile, "data_filter"):  # of Python 3.11.4, and of security updates of 3.11
        raise DataError(
            f"{archive}: this Python cannot unpack archives safely; unpack it yourself, to "
            f"{target}, or use Python 3.11.4 or newer"
        )
    try:
        with (archive.parent / f".{folder}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of a run all come here
            if target.is_dir():
                return target
            shutil.rmtree(partial, ignore_errors=True)  # of a call that was killed
            try:
                _extract(archive, folder, partial)
                write_json(_note_of(target), {"stamp": _stamp(archive), "sha256": _digest(archive)})
                os.rename(partial / folder, target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive}: is damaged, incomplete or unsafe ({error}); fetch it again"
        ) from None
    except OSError as error:
        raise DataError(
            f"{archive}: cannot be unpacked beside itself ({error.strerror or error}); make room "
            f"and writing possible in {archive.parent}, or unpack it yourself to where you like"
        ) from None
    return target


def _refuse_another(archive: Path, target: Path) -> None:
    """Raise `DataError` if a folder that was unpacked here is of another content of the archive."""
    try:
        noted = json.loads(_note_of(target).read_text(encoding="utf-8"))
        if noted["stamp"] == _stamp(archive) or noted["sha256"] == _digest(archive):
            return
    except (OSError, ValueError, KeyError, TypeError):  # somebody else has unpacked it
        return
    raise DataError(
        f"{archive} has changed since {target} was unpacked from it; delete that folder to unpack "
        "it again"
    )


def _note_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.unpacked")


def _stamp(archive: Path) -> list[int]:
    status = archive.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _extract(archive: Path, folder: str, partial: Path) -> None:
    def only_folder(member: tarfile.TarInfo, into: str) -> tarfile.TarInfo | None:
        safe = tarfile.data_filter(member, into)  # raises for what reaches outside
        return safe if Path(safe.name).parts[:1] == (folder,) else None

    partial.mkdir()
    # A stream is read once from front to back, as suits a .tar.gz inside of a .zip.
    with _opened(archive, folder) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
        tar.extractall(partial, filter=only_folder)
    if not (partial / folder).is_dir():
        raise DataError(f"{archive}: holds no folder {folder}; is it the right archive?")


@contextmanager
def _opened(archive: Path, folder: str) -> Iterator[IO[bytes]]:
    """Open the tar archive, which may lie inside of a zip archive."""
    if archive.suffix.lower() != ".zip":
        with archive.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(archive) as outer:
        wanted = f"{folder}.tar.gz"
        # macOS adds ._NAME beside NAME.
        inner = [name for name in outer.namelist() if name.rpartition("/")[2] == wanted]
        if not inner:
            raise DataError(f"{archive}: holds no {wanted}; is it the right archive?")
        with outer.open(inner[0]) as file:
            yield file
