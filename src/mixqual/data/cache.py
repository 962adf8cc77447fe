"""Decoded images on disk: `images.npy`, one row per image, and `images.json` beside it."""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mixqual.artifacts import read_json, refusing_full_disk, write_json
from mixqual.data.contents import TABLE, hash_or_none, note_files, stamps_of
from mixqual.data.file_facts import Memory, remembering, stamp_of
from mixqual.data.headers import headers
from mixqual.data.image_set import DecodedImages, ImageSet
from mixqual.data.in_order import in_order
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.unused_bits import unused_bits
from mixqual.errors import DataError, RunError
from mixqual.file_names import printable
from mixqual.images import (
    INTERPOLATIONS,
    Content,
    Unreadable,
    crop,
    examine,
    many_files,
)
from mixqual.progress import progress

__all__ = ["DecodedImages", "ImageSet", "decode_images", "open_images"]

_PIXELS = "images.npy"
_LISTED = 5  # unreadable files that an error names; it counts the rest


def decode_images(
    index: ImageIndex,
    directory: Path,
    *,
    size: int,
    interpolation: str,
    workers: int,
    on_error: str,
    fast_jpeg: bool = False,
) -> None:
    """Decode every image of an index into a folder, for `open_images` to read.

    Images become uint8 squares of `size` pixels (`decoding.decode`): one channel if all files are
    grayscale, else three. Beside them stand the hashes of each file and of its pixels. `workers`
    threads decode (0: one per core); of what memory holds only ids, labels and hashes grow with the
    number of images. The header of a file that has not changed since it was read is not read again.
    With `fast_jpeg` large JPEG files are read at a reduced scale (`decoding.examine`): their pixels
    differ a little, and what is hashed of them is not remembered for other uses. With `on_error`
    "skip", unreadable files are listed as left out; with "raise" all files are checked, then
    `DataError` counts the unreadable ones and names the first. Raises `DataError` too if a class is
    left without an image, and `RunError` if the disk is full. Warns on standard error of images of
    16 bits that use fewer.
    """
    if interpolation not in INTERPOLATIONS:
        raise DataError(
            f"interpolation {interpolation!r} is unknown; use one of {', '.join(INTERPOLATIONS)}"
        )
    workers = workers or os.cpu_count() or 1
    paths = (item.path for item in index.items)
    with refusing_full_disk(directory), many_files(), remembering(paths) as memory:
        directory.mkdir(parents=True, exist_ok=True)
        stamps = stamps_of(index.items)
        items, channels, failed = _read_headers(index.items, workers, memory)

        def pixels(item: Item) -> tuple[NDArray[np.uint8], Content]:
            stamp = stamp_of(item.path)
            plain, content = examine(item.path, reduced_for=size if fast_jpeg else None)
            if not fast_jpeg:
                memory.remember(item.path, stamp, content)
            return crop(plain, size, interpolation, channels), content

        shape = (size, size, channels)
        kept, contents, damaged = _write_pixels(items, pixels, directory / _PIXELS, shape, workers)
        order = {item.id: position for position, item in enumerate(index.items)}
        places = {item.id: item.path for item in index.items}
        failed = sorted(failed + damaged, key=lambda file: order[file.id])
        if failed and on_error == "raise":
            raise DataError(_explain(index, failed))
        _check_classes(index, kept, failed)
        note_files(directory, stamps, {file.id: hash_or_none(places[file.id]) for file in failed})
        if unused := unused_bits(content.spare_bits for content in contents):
            console = Console(stderr=True, soft_wrap=True)
            console.print(f"warning: {unused}", markup=False, highlight=False)
        write_json(
            directory / TABLE,
            {
                "ids": [item.id for item in kept],
                "labels": [item.label for item in kept],
                "splits": [item.split for item in kept],
                "groups": [item.group for item in kept],
                "file_hashes": [content.file_hash for content in contents],
                "pixel_hashes": [content.pixel_hash for content in contents],
                "classes": index.classes,
                "left_out": [asdict(file) for file in (*index.left_out, *failed)],
                "credit": index.credit,
            },
        )


def open_images(directory: Path, memory_budget_mb: int) -> DecodedImages:
    """Open what `decode_images` wrote: read into memory if within the budget (MiB), else mapped.

    Either way the pixels are read-only. Raises `RunError` if the files are missing or damaged.
    """
    table = read_json(directory / TABLE)
    path = directory / _PIXELS
    try:
        pixels_NHWC: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        if pixels_NHWC.nbytes <= memory_budget_mb * 2**20:
            pixels_NHWC = np.load(path, allow_pickle=False)
            pixels_NHWC.flags.writeable = False
        images = DecodedImages(
            pixels_NHWC=pixels_NHWC,
            labels_N=np.array(table["labels"], dtype=np.int64),
            ids=tuple(table["ids"]),
            splits=tuple(table["splits"]),
            classes=tuple(table["classes"]),
            left_out=tuple(LeftOut(**file) for file in table["left_out"]),
            credit=table["credit"],
            groups=tuple(table["groups"]),
            file_hashes=tuple(table["file_hashes"]),
            pixel_hashes=tuple(table["pixel_hashes"]),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete {directory} and run again") from None
    counts = {len(pixels_NHWC), len(images.ids), len(images.labels_N), len(images.splits)}
    counts |= {len(images.groups), len(images.file_hashes), len(images.pixel_hashes)}
    if pixels_NHWC.dtype != np.uint8 or pixels_NHWC.ndim != 4 or len(counts) > 1:
        raise RunError(f"{path} does not fit {TABLE}; delete {directory} and run again")
    return images


def _read_headers(
    items: Sequence[Item], workers: int, memory: Memory
) -> tuple[list[Item], int, list[LeftOut]]:
    """Return the items that open as images, the channels to store, and the items that do not."""
    readable, failed, channels = [], [], 1
    for position, outcome in headers([item.path for item in items], workers, memory):
        item = items[position]
        if isinstance(outcome, Unreadable):
            failed.append(LeftOut(item.id, str(outcome)))
            continue
        readable.append(item)
        if not outcome.grayscale:
            channels = 3
    return readable, channels, failed


def _write_pixels(
    items: list[Item],
    pixels: Callable[[Item], tuple[NDArray[np.uint8], Content]],
    path: Path,
    shape: tuple[int, int, int],
    workers: int,
) -> tuple[list[Item], list[Content], list[LeftOut]]:
    """Write the rows in order; return the items written, what they hold and those that failed.

    Plain sequential writes: on a full disk a memory map would kill the process instead of failing.
    """
    kept, contents, failed = [], [], []
    placeholder = _header(len(items), shape)
    with path.open("wb") as file, progress("decoding images", len(items), "images") as advance:
        file.write(placeholder)
        for item, outcome in in_order(pixels, items, workers):
            advance(1)
            if isinstance(outcome, Unreadable):
                failed.append(LeftOut(item.id, str(outcome)))
                continue
            pixels_HWC, content = outcome
            file.write(pixels_HWC.tobytes())
            kept.append(item)
            contents.append(content)
        # Only now is the number of rows known. NumPy pads headers so that it can grow in place.
        header = _header(len(kept), shape)
        if len(header) != len(placeholder):
            raise AssertionError("the .npy header changed its size")
        file.seek(0)
        file.write(header)
    return kept, contents, failed


def _header(count: int, shape: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    )
    return buffer.getvalue()


def _explain(index: ImageIndex, failed: list[LeftOut]) -> str:
    paths = {item.id: item.path for item in index.items}
    lines = [f"  {printable(str(paths[file.id]))}: {file.reason}" for file in failed[:_LISTED]]
    if len(failed) > _LISTED:
        lines.append(f"  and {len(failed) - _LISTED} more")
    return "\n".join(
        [
            f"{len(failed)} of {len(index.items)} images cannot be read; repair or remove them, "
            'or leave them out with data.on_error = "skip":',
            *lines,
        ]
    )


def _check_classes(index: ImageIndex, kept: list[Item], failed: list[LeftOut]) -> None:
    present = {item.label for item in kept}
    for label, name in enumerate(index.classes):
        if label not in present:
            reasons = {file.id: file.reason for file in failed}
            bad = [item for item in index.items if item.label == label]
            raise DataError(
                f"class {name!r} has no image left: all {len(bad)} are unreadable, such as "
                f"{printable(str(bad[0].path))} ({reasons[bad[0].id]}); repair them or list the "
                "class in data.exclude_classes"
            )
