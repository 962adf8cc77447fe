"""Decoding folders of image files, and a later epoch of them, against torchvision and Pillow."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from mixqual.bench.pictures import write_pictures
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.timing import Ratio, compare
from mixqual.config import DataConfig
from mixqual.data import ImageSet, decode_images, index_images, open_images

_SMALL, _SMALL_SIDE = 400, 300
_LARGE, _LARGE_SIZE = 12, (4000, 3000)
_SIZE, _RESIZED, _BATCH, _WORKERS = 224, 256, 32, 2
_REPETITIONS = 3


def measure() -> list[Ratio]:
    """Small PNG files and large JPEG files, each file once; then batches of what was decoded."""
    with scratch_folder() as scratch:
        small = write_pictures(scratch / "small", _SMALL, (_SMALL_SIDE, _SMALL_SIDE), "png")
        large = write_pictures(scratch / "large", _LARGE, _LARGE_SIZE, "jpg")
        small_files = f"{_SMALL} PNG files of {_SMALL_SIDE} x {_SMALL_SIDE} pixels"
        large_files = "{} JPEG files of {} x {} pixels".format(_LARGE, *_LARGE_SIZE)
        return [
            *_decoding(small, small_files, fast_jpeg=False),
            *_decoding(large, large_files, fast_jpeg=False),
            *_decoding(large, large_files, fast_jpeg=True),
            _later_epoch(small, small_files),
        ]


def _decoding(root: Path, files: str, *, fast_jpeg: bool) -> list[Ratio]:
    what = f"decoding {files}" + (" at a reduced scale" if fast_jpeg else "")
    others: list[tuple[str, Callable[[Path], object]]] = [
        (f"torchvision: ImageFolder, DataLoader with {_WORKERS} workers", _with_torchvision),
        ("Pillow, one after the other", _with_pillow),
    ]
    return [
        compare(
            what,
            partial(_decode, root, fast_jpeg=fast_jpeg),
            name,
            partial(run, root),
            settings=_settings(),
            repetitions=_REPETITIONS,
        )
        for name, run in others
    ]


def _later_epoch(root: Path, files: str) -> Ratio:
    index = index_images(DataConfig(source="folder", path=str(root)))
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        _decode_into(root, Path(folder), fast_jpeg=False)
        images = ImageSet(open_images(Path(folder), 0), np.arange(len(index.items)))
        order_N = torch.randperm(len(images))

        def read() -> None:
            for start in range(0, len(images), _BATCH):
                images.batch(order_N[start : start + _BATCH])

        return compare(
            f"a later epoch of {files}",
            read,
            f"torchvision: ImageFolder, DataLoader with {_WORKERS} workers",
            partial(_with_torchvision, root),
            settings=f"{_settings()}, decoded images mapped from disk, in batches of {_BATCH}",
            repetitions=_REPETITIONS,
        )


def _decode(root: Path, *, fast_jpeg: bool) -> None:
    """Decode as a study does, files that were never seen: nothing is remembered of them."""
    with scratch_folder() as scratch:
        _decode_into(root, scratch / "decoded", fast_jpeg=fast_jpeg)


def _decode_into(root: Path, folder: Path, *, fast_jpeg: bool) -> None:
    decode_images(
        index_images(DataConfig(source="folder", path=str(root))),
        folder,
        size=_SIZE,
        interpolation="bilinear",
        workers=_WORKERS,
        on_error="raise",
        fast_jpeg=fast_jpeg,
    )


def _with_torchvision(root: Path) -> list[Tensor]:
    """The usual transforms up to uint8 tensors, which is as far as mixqual's decoding goes."""
    transform = v2.Compose([v2.Resize(_RESIZED), v2.CenterCrop(_SIZE), v2.PILToTensor()])
    images = ImageFolder(root, transform)
    # A worker takes whole batches: of few files they must be small, or one would have them all.
    batch = min(_BATCH, max(len(images) // (3 * _WORKERS), 1))
    loader = DataLoader(images, batch_size=batch, num_workers=_WORKERS)
    return [images_BCHW for images_BCHW, _ in loader]


def _with_pillow(root: Path) -> list[NDArray[np.uint8]]:
    start = (_RESIZED - _SIZE) // 2
    box = (start, start, start + _SIZE, start + _SIZE)
    found = []
    for path in sorted(root.glob("*/*")):
        with Image.open(path) as image:
            resized = image.resize((_RESIZED, _RESIZED), Image.Resampling.BILINEAR)
        found.append(np.asarray(resized.crop(box)))
    return found


def _settings() -> str:
    return f"to {_SIZE} pixels, {_WORKERS} threads or processes"
