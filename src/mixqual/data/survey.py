"""Every image of an index examined once, or recalled if its file has not changed since."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import final

from mixqual.data.file_facts import Known, recalling, remembering, stamp_of
from mixqual.data.image_set import DecodedImages, undecoded
from mixqual.data.in_order import in_order
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.images import (
    SUFFIXES_OF,
    Content,
    Header,
    Unreadable,
    examine,
    many_files,
    read_header,
)
from mixqual.progress import progress

_KINDS = {"P": "palette", "PA": "palette", "CMYK": "cmyk"}


@final
@dataclass
class Survey:
    """What the files of an index are like; per image only ids, labels, sizes and hashes."""

    items: list[Item] = field(default_factory=list)
    """The readable ones."""
    unreadable: list[LeftOut] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    file_hashes: list[str] = field(default_factory=list)
    pixel_hashes: list[str] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """How many images are gray, colour and so on, each image once; and how many are odd in each of
    several ways."""
    wrong_suffixes: list[LeftOut] = field(default_factory=list)
    spare_bits: list[int] = field(default_factory=list)
    """Of each image of 16 bits."""

    def add(self, item: Item, header: Header, content: Content) -> None:
        """Count one image."""
        self.items.append(item)
        self.widths.append(header.width)
        self.heights.append(header.height)
        self.file_hashes.append(content.file_hash)
        self.pixel_hashes.append(content.pixel_hash)
        self.formats[header.format] += 1
        self.kinds[_kind(header)] += 1
        self.kinds["16_bit"] += header.bits == 16
        self.kinds["transparent"] += header.transparent
        self.kinds["exif_turned"] += content.turned
        self.kinds["animated"] += header.animated
        if content.spare_bits is not None:
            self.spare_bits.append(content.spare_bits)
        suffix = os.path.splitext(item.id)[1].lower()
        if suffix and suffix not in SUFFIXES_OF.get(header.format, (suffix,)):
            self.wrong_suffixes.append(LeftOut(item.id, f"holds {header.format}"))

    def undecoded(self, index: ImageIndex) -> DecodedImages:
        """The readable images as they would be decoded, but without pixels."""
        return replace(
            undecoded(index, self.items),
            left_out=(*index.left_out, *self.unreadable),
            file_hashes=tuple(self.file_hashes),
            pixel_hashes=tuple(self.pixel_hashes),
        )


def survey(index: ImageIndex, workers: int = 0) -> Survey:
    """Examine all images of an index, with as many threads (0: one per core)."""
    found = Survey()
    paths = (item.path for item in index.items)
    with (
        many_files(),
        remembering(paths) as memory,
        progress("checking images", len(index.items), "images") as advance,
    ):

        def known(job: tuple[Item, Known]) -> tuple[Header, Content] | None:
            header, content = job[1]
            return (header, content) if header and content else None

        def read(job: tuple[Item, Known]) -> tuple[Header, Content]:
            item, _ = job
            stamp = stamp_of(item.path)
            header = read_header(item.path)
            content = examine(item.path)[1]
            memory.remember(item.path, stamp, header)
            memory.remember(item.path, stamp, content)
            return header, content

        jobs = recalling(index.items, lambda item: item.path, memory)
        for (item, _), outcome in in_order(read, jobs, workers or os.cpu_count() or 1, known):
            advance(1)
            if isinstance(outcome, Unreadable):
                found.unreadable.append(LeftOut(item.id, str(outcome)))
            else:
                found.add(item, *outcome)
    return found


def _kind(header: Header) -> str:
    if header.grayscale:
        return "grayscale"
    return _KINDS.get(header.mode, "colour")
