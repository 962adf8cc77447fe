"""Decoded images in memory or mapped from disk, and batches of some of them as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixqual.data.index import ImageIndex, Item, LeftOut

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """All decoded images of a source, in the order of its index."""

    pixels_NHWC: NDArray[np.uint8]
    """One channel if every image is grayscale, else three (RGB); read-only."""
    labels_N: NDArray[np.int64]
    ids: tuple[str, ...]
    splits: tuple[str | None, ...]
    """"train", "val" or "test" where the source gives it."""
    classes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    credit: str
    groups: tuple[str | None, ...] = ()
    """What each image belongs to (a patient, a video), which no two splits may share; None where
    it belongs to nothing. Empty if no image has a group."""
    file_hashes: tuple[str, ...] = ()
    """Of each file's bytes; equal for copies. Empty if not known."""
    pixel_hashes: tuple[str, ...] = ()
    """Of each image's pixels at full size; equal for images that look the same. Empty if not
    known."""


def undecoded(index: ImageIndex, items: Sequence[Item]) -> DecodedImages:
    """Some items of an index as they would be decoded, but without pixels or hashes."""
    return DecodedImages(
        pixels_NHWC=np.empty((len(items), 0, 0, 1), dtype=np.uint8),
        labels_N=np.array([item.label for item in items], dtype=np.int64),
        ids=tuple(item.id for item in items),
        splits=tuple(item.split for item in items),
        classes=index.classes,
        left_out=index.left_out,
        credit=index.credit,
        groups=tuple(item.group for item in items),
    )


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Some of the decoded images, such as one split; a view, no pixel is copied."""

    images: DecodedImages
    indices_N: NDArray[np.int64]
    """Positions in `images`."""

    def __len__(self) -> int:
        return len(self.indices_N)

    @property
    def pixels_NHWC(self) -> NDArray[np.uint8]:
        """The pixels of all decoded images, to be indexed with `indices_N`."""
        return self.images.pixels_NHWC

    @property
    def labels_N(self) -> Tensor:
        """The class of each image of this set, int64."""
        return torch.from_numpy(self.images.labels_N[self.indices_N])

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of each image of this set."""
        return tuple(self.images.ids[index] for index in self.indices_N)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes."""
        return self.images.classes

    def batch(
        self, positions: Sequence[int] | Tensor, device: torch.device = _CPU
    ) -> tuple[Tensor, Tensor]:
        """Return images float32 [B, 3, H, W] in 0...255, channels last, and labels int64 [B].

        `positions` count within this set, from 0; grayscale is repeated to three channels. The
        images go to `device` as the bytes that they are; labels stay on the CPU. Raises
        `IndexError` for a position outside of the set.
        """
        chosen = positions.cpu().numpy() if isinstance(positions, Tensor) else positions
        indices_B = self.indices_N[np.asarray(chosen, dtype=np.int64)]
        pixels_BHWC = np.ascontiguousarray(self.images.pixels_NHWC[indices_B])
        pixels_BCHW = torch.from_numpy(pixels_BHWC).to(device).permute(0, 3, 1, 2)
        images_BCHW = pixels_BCHW.expand(-1, 3, -1, -1)
        labels_B = torch.from_numpy(self.images.labels_N[indices_B])
        return images_BCHW.to(torch.float32, memory_format=torch.channels_last), labels_B
