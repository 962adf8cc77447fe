"""Decoded images of random pixels, whose content does not matter for speed."""

import numpy as np

from mixqual.data import DecodedImages, ImageSet


def noise_images(count: int, side: int) -> ImageSet:
    """`count` gray images of `side` x `side` random pixels, all of one class."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 1), dtype=np.uint8)
    images = DecodedImages(
        pixels_NHWC=pixels,
        labels_N=np.zeros(count, dtype=np.int64),
        ids=tuple(str(number) for number in range(count)),
        splits=(None,) * count,
        classes=("only",),
        left_out=(),
        credit="",
    )
    return ImageSet(images, np.arange(count))
