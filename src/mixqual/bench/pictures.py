"""Pictures for benchmarks in which content decides the speed: as files, and as tensors."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mixqual.distortions.fractal_field import fractal_fields


def write_pictures(root: Path, count: int, size: tuple[int, int], suffix: str) -> Path:
    """Write images that are smooth with some grain, as photographs are, in two classes."""
    generator = np.random.default_rng(0)
    width, height = size
    grain_HWC = generator.normal(0, 8, (height, width, 3)).astype(np.int16)
    for number in range(count):
        folder = root / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse_HWC = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse_HWC).resize(size, Image.Resampling.BICUBIC)
        pixels_HWC = (np.asarray(smooth) + grain_HWC).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels_HWC).save(folder / f"{number:06d}.{suffix}", quality=90)
    return root


def fractal_pictures(count: int, side: int) -> Tensor:
    """Colour fields whose spectrum falls as that of photographs: float32 images_BCHW in 0...255."""
    keys_B = torch.arange(count)
    fields = [fractal_fields(seed, keys_B, side, side, exponent=2.0) for seed in range(3)]
    images_BCHW = (128 + 50 * torch.stack(fields, 1)).clamp_(0, 255)
    return images_BCHW.contiguous(memory_format=torch.channels_last)
