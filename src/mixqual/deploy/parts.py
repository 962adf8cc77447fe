"""The parts of a file that `mixqual export` writes: manifest, network and more, with checksums.

They find damage, such as a file that was cut off or changed by mistake; they do not prove who made
it.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mixqual.config import Table
from mixqual.deploy.manifest import FORMAT
from mixqual.errors import BundleError
from mixqual.file_names import printable

T = TypeVar("T", bound=Table)

_LONGEST = 200  # characters of what is quoted

Told = Mapping[str, object]
"""What a file says of each of its parts: their bytes and SHA-256."""


def check_regular(path: Path) -> None:
    """Raise `BundleError` for what is no file, or one that could be waited for or never ends."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise BundleError(f"{path} is no file; give a file of `mixqual export`") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error})") from None
    if stat.S_ISDIR(mode):
        raise BundleError(f"{path} is a folder; give a file of `mixqual export`")
    if not stat.S_ISREG(mode):
        raise BundleError(f"{path} is no regular file; give a file of `mixqual export`")


def check_target(path: Path) -> None:
    """Raise `BundleError` where no file should be written.

    That is in place of a folder, a device, a pipe or a link, and in a folder that would be made in
    the root of the file system.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            kind = "a folder" if path.is_dir() and not path.is_symlink() else "no regular file"
            raise BundleError(f"{path} is {kind}, and is left as it is; give another file")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BundleError(f"{path} cannot be written ({error.strerror}); give another") from None
    folder = Path(os.path.abspath(path)).parent
    above = next(place for place in (folder, *folder.parents) if place.exists())
    if above != folder and above == Path(above.anchor):
        raise BundleError(
            f"{path}: {folder} is not there, and would be made in {above}; make it first"
        )


def head_of(parts: Mapping[str, bytes]) -> bytes:
    """The format, and the bytes and SHA-256 of each part, as JSON."""
    return json.dumps({"format": FORMAT, "parts": _told(parts)}, indent=2).encode()


def read_head(path: Path, name: str, content: bytes) -> Told:
    """Read what `head_of` wrote, under the name of `name` in messages.

    Raises `BundleError` for another format, or if it is damaged.
    """
    try:
        head = json.loads(content)
        version, parts = int(head["format"]), dict(head["parts"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise BundleError(f"{path}: {name} is damaged; copy or export it again") from None
    if version != FORMAT:
        raise BundleError(
            f"{path} has format {in_short(version)}, this version of mixqual reads {FORMAT}; "
            f"{'update mixqual' if version > FORMAT else 'export it again'}"
        )
    return parts


def check_parts(path: Path, told: Told, parts: Mapping[str, bytes | memoryview]) -> None:
    """Raise `BundleError` for the first part that is not what was written."""
    for name, found in _told(parts).items():
        if told.get(name) != found:
            raise BundleError(
                f"{path}: {name} is not what was written (its checksum differs); "
                "copy or export it again"
            )


def to_json(table: Table) -> bytes:
    """A part that is a table."""
    return table.model_dump_json(by_alias=True, indent=2).encode()


def from_json(path: Path, name: str, kind: type[T], content: bytes) -> T:
    """Read a part that is a table; raises `BundleError` with the field that is wrong."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise BundleError(f"{path}: {name}: {in_short(first_fault(error))}") from None


def first_fault(error: ValidationError) -> str:
    """The first field that is wrong, and why."""
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def in_short(reason: object) -> str:
    """A reason in another's words on one line, and cut where it goes on: it may quote the file."""
    text = printable(str(reason))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _told(parts: Mapping[str, bytes | memoryview]) -> dict[str, object]:
    return {
        name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        for name, part in parts.items()
    }
