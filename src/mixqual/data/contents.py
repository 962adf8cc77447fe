"""Whether the files of an index are still those that images were decoded from.

Beside decoded images stands when their files were changed last. A file that has been touched since
is read again, and only another content counts. So the keys of artifacts stay while the images do,
wherever these are copied to, and to look costs no more than to list them.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mixqual.artifacts import key_of, write_json
from mixqual.data.index import ImageIndex, Item
from mixqual.images import Embedded, hash_file
from mixqual.made import NOTES
from mixqual.progress import progress, say

Stamp = tuple[int, int, int]
"""Bytes, and times of change in nanoseconds: as programs may set it, and as the system has it."""

Hashes = Mapping[str, str | None]
"""Of the bytes of files, by id; None for one that cannot be read."""

TABLE = "images.json"
_STAMPS = f"files{NOTES}"
_SETTLED = 2_000_000_000  # ns: a file that is younger may still change within the same tick


class _Noted(NamedTuple):
    """What a folder of decoded images tells of the files that they were."""

    folder: Path
    hashes: Hashes
    stamps: Mapping[str, Stamp]


def stamps_of(items: Iterable[Item]) -> dict[str, Stamp]:
    """Tell the versions of files apart, by id: of those that cannot change unseen any more."""
    now = time.time_ns()
    tables: dict[tuple[str, ...], Stamp | None] = {}  # thousands of rows have one file
    found = {item.id: _stamp(item.path, tables) for item in items}
    return {name: stamp for name, stamp in found.items() if stamp and _is_old(stamp, now)}


def note_files(directory: Path, stamps: Mapping[str, Stamp], left_out: Hashes) -> None:
    """Note beside decoded images what their files were, and the hashes of those left out.

    The stamps were taken before any file was read.
    """
    write_json(directory / _STAMPS, {"stamps": stamps, "left_out": left_out})


def changed_contents(
    index: ImageIndex, decoded: Sequence[Path], known: Sequence[Path], others: Sequence[Hashes] = ()
) -> str | None:
    """One hash of the contents of all files, if some are not those that were decoded.

    That is into any of the folders `decoded`, and `others`, from the files of such an index. What
    the folders `known`, of other versions of them, tell of files that have not changed since spares
    reading these, and is brought up to date. Returns None if nothing has changed.
    """
    noted = {folder: found for folder in (*decoded, *known) if (found := _noted(folder))}
    earlier = [*(noted[folder].hashes for folder in decoded if folder in noted), *others]
    if not earlier:
        return None
    stamps = stamps_of(index.items)
    now = _present_hashes(index, stamps, list(noted.values()))
    for folder in known:
        of = noted.get(folder)
        if of and of.stamps != stamps and not _changed(of.hashes, now):
            left_out = {name: now[name] for name in now.keys() - _hashes_in(folder).keys()}
            note_files(folder, stamps, left_out)
    count = max(_changed(hashes, now) for hashes in earlier)
    if not count:
        return None
    say(
        f"{count} of {len(now)} images have changed since they were decoded, though not in size; "
        "what depends on them is made anew"
    )
    return key_of({"contents": now})


def hashes_in(table: Any) -> dict[str, str | None]:
    """The hashes of files by id, from what `images.json` holds; none if that is damaged."""
    try:
        return dict(zip(table["ids"], table["file_hashes"], strict=True))
    except (TypeError, KeyError, ValueError):
        return {}


def hash_or_none(path: Path | Embedded) -> str | None:
    """The hash of a file; None if it cannot be read."""
    try:
        return hash_file(path)
    except Exception:  # whoever decodes it says why
        return None


def _present_hashes(
    index: ImageIndex, stamps: Mapping[str, Stamp], noted: Sequence[_Noted]
) -> dict[str, str | None]:
    remembered = {
        (name, stamp): of.hashes[name]
        for of in noted
        for name, stamp in of.stamps.items()
        if name in of.hashes
    }
    hashes: dict[str, str | None] = {}
    unknown = []
    for item in index.items:
        stamp = stamps.get(item.id)
        if stamp is not None and (item.id, stamp) in remembered:
            hashes[item.id] = remembered[item.id, stamp]
        else:
            unknown.append(item)
    if unknown:
        with progress("looking for changed images", len(unknown), "images") as advance:
            for item in unknown:
                hashes[item.id] = hash_or_none(item.path)
                advance(1)
    return {item.id: hashes[item.id] for item in index.items}


def _changed(earlier: Hashes, now: Hashes) -> int:
    """How many files have another content; of some that were left out, none may be known."""
    return sum(now[name] != earlier[name] for name in now.keys() & earlier.keys())


def _noted(folder: Path) -> _Noted | None:
    hashes = _hashes_in(folder)
    if not hashes:
        return None
    try:
        notes = json.loads((folder / _STAMPS).read_text(encoding="utf-8"))
        stamps = {name: _as_stamp(stamp) for name, stamp in notes["stamps"].items()}
        return _Noted(folder, {**notes["left_out"], **hashes}, stamps)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # they may be lost
        return _Noted(folder, hashes, {})


def _hashes_in(folder: Path) -> dict[str, str | None]:
    try:
        return hashes_in(json.loads((folder / TABLE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _as_stamp(values: Sequence[int]) -> Stamp:
    size, changed, settled = values
    return size, changed, settled


def _is_old(stamp: Stamp, now: int) -> bool:
    return now - max(stamp[1:]) >= _SETTLED


def _stamp(content: Path | Embedded, tables: dict[tuple[str, ...], Stamp | None]) -> Stamp | None:
    if not isinstance(content, Embedded):
        return _stamp_of_files((os.fspath(content),))
    if content.files not in tables:
        tables[content.files] = _stamp_of_files(content.files)
    return tables[content.files]


def _stamp_of_files(paths: tuple[str, ...]) -> Stamp | None:
    try:
        status = [os.stat(path) for path in paths]
    except OSError:
        return None
    if not status:
        return None
    return (
        sum(each.st_size for each in status),
        max(each.st_mtime_ns for each in status),
        max(each.st_ctime_ns for each in status),
    )
