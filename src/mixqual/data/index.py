"""What a source of images yields: every image with its class, before any is decoded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mixqual.errors import DataError
from mixqual.images import Embedded

SPLITS = ("train", "val", "test")

SPLIT_OF_NAME = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""What the splits of a source may be called, in either case."""


@dataclass(frozen=True)
class Item:
    """One image."""

    id: str
    """Its path below the source's root, with forward slashes; unique and the same everywhere."""
    path: Path | Embedded
    label: int
    """Position of its class in `ImageIndex.classes`."""
    split: str | None
    """"train", "val" or "test" where the source gives it."""
    group: str | None = None
    """Images of one group, such as one patient or one part, go to one split together."""


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class ImageIndex:
    """The images of a source, in an order that does not depend on the file system."""

    name: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    credit: str
    """Who made the images and their licence; empty where the source does not say."""

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change when images come, go, move or change in size.

        So they do when the groups change. Contents are not read: `contents.changed_contents` tells
        of a file that was replaced by one of exactly the same size. Raises `DataError` if a file
        has vanished since it was indexed.
        """
        digest = hashlib.sha256(json.dumps([self.name, self.classes]).encode())
        for item in self.items:
            facts: list[str | int | None] = [item.id, item.label, item.split, _size(item.path)]
            if item.group is not None:
                facts.append(item.group)
            digest.update(json.dumps(facts).encode())
        return digest.hexdigest()[:16]


def _size(content: Path | Embedded) -> int:
    if isinstance(content, Embedded):
        return content.size
    try:
        return content.stat().st_size
    except OSError as error:
        raise DataError(
            f"{content}: cannot be read any more ({error.strerror}); "
            "leave the images alone while a study runs"
        ) from None
