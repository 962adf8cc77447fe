"""Decoded images on disk: `images.npy`, one row per image, and `images.json` beside it."""

import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mixqual.artifacts import read_json, refusing_full_disk, write_json
from mixqual.data.decoding import INTERPOLATIONS, Unreadable, decode, is_grayscale
from mixqual.data.image_set import DecodedImages, ImageSet
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError, RunError
from mixqual.progress import progress

__all__ = ["DecodedImages", "ImageSet", "decode_images", "open_images"]

_PIXELS = "images.npy"
_TABLE = "images.json"
_LISTED = 5  # unreadable files that an error names; it counts the rest
_IN_FLIGHT = 4  # images per thread that are decoded or wait to be written

Result = TypeVar("Result")


def decode_images(
    index: ImageIndex,
    directory: Path,
    *,
    size: int,
    interpolation: str,
    workers: int,
    on_error: str,
) -> None:
    """Decode every image of an index into a folder, for `open_images` to read.

    Images become uint8 squares of `size` pixels (`decoding.decode`): one channel if all files are
    grayscale, else three. `workers` threads decode (0: one per core); memory use does not grow
    with the number of images. With `on_error` "skip", unreadable files are listed as left out;
    with "raise" all files are checked, then `DataError` counts the unreadable ones and names the
    first. Raises `DataError` too if a class is left without an image, and `RunError` if the disk
    is full.
    """
    if interpolation not in INTERPOLATIONS:
        raise DataError(
            f"interpolation {interpolation!r} is unknown; use one of {', '.join(INTERPOLATIONS)}"
        )
    workers = workers or os.cpu_count() or 1
    with refusing_full_disk(directory), warnings.catch_warnings():
        # Oddities that Pillow can read past; what it cannot read past, it raises.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        Image.init()  # now, for threads that register Pillow's formats at once can miss some
        directory.mkdir(parents=True, exist_ok=True)
        items, channels, failed = _read_headers(index.items, workers)
        kept, damaged = _write_pixels(
            items, directory / _PIXELS, size, interpolation, channels, workers
        )
        order = {item.id: position for position, item in enumerate(index.items)}
        failed = sorted(failed + damaged, key=lambda file: order[file.id])
        if failed and on_error == "raise":
            raise DataError(_explain(index, failed))
        _check_classes(index, kept, failed)
        write_json(
            directory / _TABLE,
            {
                "ids": [item.id for item in kept],
                "labels": [item.label for item in kept],
                "splits": [item.split for item in kept],
                "classes": index.classes,
                "left_out": [asdict(file) for file in (*index.left_out, *failed)],
                "credit": index.credit,
            },
        )


def open_images(directory: Path, memory_budget_mb: int) -> DecodedImages:
    """Open what `decode_images` wrote: read into memory if within the budget (MiB), else mapped.

    Either way the pixels are read-only. Raises `RunError` if the files are missing or damaged.
    """
    table = read_json(directory / _TABLE)
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
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete {directory} and run again") from None
    counts = {len(pixels_NHWC), len(images.ids), len(images.labels_N), len(images.splits)}
    if pixels_NHWC.dtype != np.uint8 or pixels_NHWC.ndim != 4 or len(counts) > 1:
        raise RunError(f"{path} does not fit {_TABLE}; delete {directory} and run again")
    return images


def _read_headers(items: Sequence[Item], workers: int) -> tuple[list[Item], int, list[LeftOut]]:
    """Return the items that open as images, the channels to store, and the items that do not."""
    readable, failed, channels = [], [], 1
    with progress("checking images", len(items), "images") as advance:
        for item, outcome in _in_order(lambda item: is_grayscale(item.path), items, workers):
            advance(1)
            if isinstance(outcome, Unreadable):
                failed.append(LeftOut(item.id, str(outcome)))
                continue
            readable.append(item)
            if not outcome:
                channels = 3
    return readable, channels, failed


def _write_pixels(
    items: list[Item], path: Path, size: int, interpolation: str, channels: int, workers: int
) -> tuple[list[Item], list[LeftOut]]:
    """Write the rows in order and return the items written and those that failed.

    Plain sequential writes: on a full disk a memory map would kill the process instead of failing.
    """
    kept, failed = [], []

    def pixels(item: Item) -> NDArray[np.uint8]:
        return decode(item.path, size, interpolation, channels)

    placeholder = _header(len(items), size, channels)
    with path.open("wb") as file, progress("decoding images", len(items), "images") as advance:
        file.write(placeholder)
        for item, outcome in _in_order(pixels, items, workers):
            advance(1)
            if isinstance(outcome, Unreadable):
                failed.append(LeftOut(item.id, str(outcome)))
                continue
            file.write(outcome.tobytes())
            kept.append(item)
        # Only now is the number of rows known. NumPy pads headers so that it can grow in place.
        header = _header(len(kept), size, channels)
        if len(header) != len(placeholder):
            raise AssertionError("the .npy header changed its size")
        file.seek(0)
        file.write(header)
    return kept, failed


def _header(count: int, size: int, channels: int) -> bytes:
    buffer = io.BytesIO()
    shape = (count, size, size, channels)
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def _in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result | Unreadable]]:
    """Apply a function in threads, to a bounded number at once; yield the outcomes in order."""

    def outcome(item: Item) -> Result | Unreadable:
        try:
            return function(item)
        except Unreadable as error:
            return error

    pending: deque[tuple[Item, Future[Result | Unreadable]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(outcome, item)))
                if len(pending) >= workers * _IN_FLIGHT:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()


def _explain(index: ImageIndex, failed: list[LeftOut]) -> str:
    paths = {item.id: item.path for item in index.items}
    lines = [f"  {paths[file.id]}: {file.reason}" for file in failed[:_LISTED]]
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
                f"{bad[0].path} ({reasons[bad[0].id]}); repair them or list the class in "
                "data.exclude_classes"
            )
