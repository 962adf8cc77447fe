"""What a source of images yields: every image file with its class, before any is decoded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mixqual.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One image file."""

    id: str
    """Its path below the source's root, with forward slashes; unique and the same everywhere."""
    path: Path
    label: int
    """Position of its class in `ImageIndex.classes`."""
    split: str | None
    """"train", "val" or "test" where the source gives it."""


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class ImageIndex:
    """The image files of a source, in an order that does not depend on the file system."""

    name: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    credit: str
    """Who made the images and their licence; empty where the source does not say."""

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change when images come, go, move or change in size.

        File contents are not read: a file replaced by one of exactly the same size goes unnoticed.
        Raises `DataError` if a file has vanished since it was indexed.
        """
        digest = hashlib.sha256(json.dumps([self.name, self.classes]).encode())
        for item in self.items:
            try:
                size = item.path.stat().st_size
            except OSError as error:
                raise DataError(
                    f"{item.path}: cannot be read any more ({error.strerror}); "
                    "leave the images alone while a study runs"
                ) from None
            digest.update(json.dumps([item.id, item.label, item.split, size]).encode())
        return digest.hexdigest()[:16]
