"""Which files are copies of each other, before any is decoded; few of them are read for it."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mixqual.data.image_set import DecodedImages, undecoded
from mixqual.data.index import ImageIndex, Item
from mixqual.images import Embedded, Unreadable, hash_file
from mixqual.progress import progress

_HEAD = 4096  # bytes: what two photographs of one size hardly ever have in common


def undecoded_copies(index: ImageIndex) -> DecodedImages:
    """The images of an index as they would be decoded, without pixels, but with hashes of files.

    For a hash each file has a text, the same as its copies and no other file. Pictures that are
    equal in their pixels alone are not found.
    """
    images = undecoded(index, index.items)
    groups = _divide([range(len(index.items))], lambda at: _size(index.items[at]))
    groups = _divide(groups, lambda at: _head(index.items[at].path))
    with progress("comparing files", sum(map(len, groups)), "images") as advance:

        def hashed(at: int) -> str | None:
            advance(1)
            return _hash(index.items[at].path)

        groups = _divide(groups, hashed)
    hashes = [f"no copy of {item.id}" for item in index.items]
    for group in groups:
        copies = f"copies of {index.items[group[0]].id}"
        for at in group:
            hashes[at] = copies
    return replace(images, file_hashes=tuple(hashes))


def _divide(
    groups: Iterable[Sequence[int]], key: Callable[[int], Hashable | None]
) -> list[list[int]]:
    """The parts of groups that share a key, if it is not None, without those of a single one."""
    found = []
    for group in groups:
        parts: dict[Hashable, list[int]] = {}
        for at in group:
            if (own := key(at)) is not None:
                parts.setdefault(own, []).append(at)
        found += [part for part in parts.values() if len(part) > 1]
    return found


def _size(item: Item) -> int | None:
    if isinstance(item.path, Embedded):
        return item.path.size
    try:
        return item.path.stat().st_size
    except OSError:
        return None


def _head(path: Path | Embedded) -> bytes | None:
    if isinstance(path, Embedded):
        return path.read()[:_HEAD]
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return None


def _hash(path: Path | Embedded) -> str | None:
    try:
        return hash_file(path)
    except (OSError, Unreadable):  # decoding will tell
        return None
