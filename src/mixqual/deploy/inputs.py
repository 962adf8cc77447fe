"""Whatever holds an image, as the pixels that a mixture takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mixqual.errors import DataError
from mixqual.images import Embedded, Unreadable, crop, plain_image, read_image


@runtime_checkable
class TensorLike(Protocol):
    """What is asked of a tensor of torch, which need not be installed."""

    def detach(self) -> "TensorLike":
        """Without its history."""

    def cpu(self) -> "TensorLike":
        """In the memory of the CPU."""

    def numpy(self) -> NDArray[Any]:
        """As an array that shares its memory."""


Source = str | Path | bytes | Image.Image | NDArray[Any] | TensorLike


def pixels_of(source: Source, size: int, interpolation: str) -> NDArray[np.uint8]:
    """The pixels (size, size, 3) of one image, resized and cropped as in training.

    A path or the bytes of a file is decoded as in training, and so is an image of Pillow, in any
    mode: `Image.open(path)` gives what `path` gives. An array is (H, W), (H, W, 1) or (H, W, 3), a
    tensor (H, W), (1, H, W) or (3, H, W); both uint8, or numbers in 0...255, which are rounded.
    Raises `DataError` for what is no image, and for floating-point numbers that all lie in 0...1,
    which are on another scale.
    """
    try:
        if isinstance(source, str | Path):
            image = read_image(Path(source))
        elif isinstance(source, bytes):
            image = read_image(Embedded("bytes", 0, len(source), lambda _: source))
        elif isinstance(source, Image.Image):
            image = plain_image(source)
        else:
            image = Image.fromarray(_array(source))
        return crop(image, size, interpolation, channels=3)
    except Unreadable as error:
        name = f"{source}: " if isinstance(source, str | Path) else ""
        raise DataError(f"{name}{error}") from None


def is_batch(source: object) -> bool:
    """Whether this is an array or tensor of several images, along its first axis."""
    return isinstance(source, np.ndarray | TensorLike) and getattr(source, "ndim", 0) == 4


def batch_of(pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Images (B, 3, H, W), whose channels lie together in memory as they did in the pixels."""
    return np.moveaxis(np.stack(pixels), 3, 1)


def refuse_fractions(images: NDArray[Any]) -> None:
    """Raise `DataError` for images in 0...1, but not for whole numbers, which are dark bytes."""
    if not np.issubdtype(images.dtype, np.floating) or not images.size:
        return
    high = images.max()
    if 0 < high <= 1 and images.min() >= 0 and (images != np.rint(images)).any():
        raise _on_another_scale(high)


def _on_another_scale(high: float) -> DataError:
    return DataError(
        f"pixels must lie in 0...255, but these floating-point ones end at {high:g}, as if 1 were "
        "white; multiply them by 255, or give an image that is so dark as uint8"
    )


def _array(source: NDArray[Any] | TensorLike) -> NDArray[np.uint8]:
    if isinstance(source, TensorLike):
        values = source.detach().cpu().numpy()
        shape = values.shape
        values = np.moveaxis(values, 0, -1) if values.ndim == 3 else values
    else:
        values = np.asarray(source)
        shape = values.shape
    if values.ndim == 4:
        raise DataError(
            f"the shape {shape} is that of a batch of images; give them one by one, as they are in "
            "list(batch), or all of them to predict()"
        )
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3) or not values.size:
        raise DataError(
            f"an image has 1 or 3 channels, not the shape {shape}; arrays are "
            "(H, W, channels), tensors (channels, H, W)"
        )
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise DataError(f"pixels are numbers in 0...255, not {values.dtype}")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise DataError(f"pixels must lie in 0...255, but they span {low:g}...{high:g}")
    if 0 < high <= 1 and np.issubdtype(values.dtype, np.floating):
        raise _on_another_scale(high)
    rounded: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
    return rounded
