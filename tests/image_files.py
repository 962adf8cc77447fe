"""Makes small image files, and indexes folders of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, index_images


def gray(seed: int = 0, side: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8))


def rgb(seed: int = 0, side: int = 40) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(values)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def folder(root: Path, **config: object) -> ImageIndex:
    return index_images(DataConfig(source="folder", path=str(root), **config))
