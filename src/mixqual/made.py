"""What an artifact says of itself: what made it, and the checksum of each of its parts.

It stands in `made.json` in the artifact's folder, and carries a checksum of its own and of the
artifact's name, so that neither damage nor an exchange goes unnoticed. Artifacts of before there
was one are sealed when they are first seen, with an unknown maker.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixqual.artifacts import read_json, write_json
from mixqual.errors import RunError

FILE = "made.json"
_LOGS = "tensorboard"  # for people: no step reads them
NOTES = ".notes"
"""Ending of files that may be lost or written again at any time."""

_CHECKSUM, _SIGNED = "checksum", "signed"

Maker = Mapping[str, Any]
"""Versions, commit and device, as JSON holds them."""


def seal(folder: Path, name: str, maker: Maker | None) -> None:
    """Note the checksums of an artifact's parts, and what made them, if that is known."""
    said = {"by": None if maker is None else dict(maker), "files": _sums(folder)}
    write_json(folder / FILE, {**said, _CHECKSUM: checksum(name, said)})


def sealed(folder: Path, name: str) -> dict[str, Any] | None:
    """What `seal` has noted; None if the artifact says nothing of itself.

    Raises `RunError` if that is damaged, or of another artifact.
    """
    try:
        said: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        told = said.pop(_CHECKSUM)
        if told == checksum(name, said):
            return said
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise RunError(f"its {FILE} is damaged")


def check(folder: Path, name: str) -> dict[str, Any] | None:
    """Return what `sealed` returns, of an artifact whose parts are all as they were made.

    Raises `RunError` that names the first that is not.
    """
    said = sealed(folder, name)
    try:
        found = _sums(folder)
    except OSError as error:
        raise RunError(f"its parts cannot be read ({error.strerror})") from None
    if not found:  # as a power cut may leave it
        raise RunError("it has no parts")
    if said is None:
        return None
    for part, sums in said["files"].items():
        if part not in found:
            raise RunError(f"its {part} is missing")
        if found[part] != sums:
            raise RunError(f"its {part} is not what was written")
    return said


def write_signed(path: Path, table: Mapping[str, Any]) -> None:
    """Write a table as JSON, atomically, with a checksum of it."""
    plain = json.loads(json.dumps(table, allow_nan=False))  # keys as they will be read
    for key in (_SIGNED, _CHECKSUM):
        plain.pop(key, None)
    write_json(path, {_SIGNED: True, **plain, _CHECKSUM: checksum(path.name, plain)})


def read_signed(path: Path) -> Any:
    """Read what `write_signed` wrote, or any JSON without a checksum.

    Raises `RunError` if it is missing, unreadable, or not what was written.
    """
    table = read_json(path)
    if not isinstance(table, dict) or not {_SIGNED, _CHECKSUM} & table.keys():
        return table
    # Two keys, so that neither can be lost alone.
    signed, told = table.pop(_SIGNED, None), table.pop(_CHECKSUM, None)
    if signed is not True or told != checksum(path.name, table):
        raise RunError(
            f"{path} is not what was written (its checksum differs); run the study again to write "
            f"it anew, which trains nothing, or take {_SIGNED!r} and {_CHECKSUM!r} out of it if "
            "you changed it"
        )
    return table


def checksum(name: str, said: object) -> str:
    """The checksum of anything that JSON holds, and of the name of that which says it."""
    text = json.dumps([name, said], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sums(folder: Path) -> dict[str, list[int | str]]:
    """Bytes and SHA-256 of each part below a folder, by its relative name."""
    sums: dict[str, list[int | str]] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_dir() or relative.parts[0] in (FILE, _LOGS) or path.suffix == NOTES:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sums[relative.as_posix()] = [path.stat().st_size, digest]
    return sums
