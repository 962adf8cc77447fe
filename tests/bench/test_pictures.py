"""Pictures as files and as tensors: how many, and of what spectrum."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mixqual.bench.pictures import fractal_pictures, write_pictures


def test_files_are_different_pictures_in_two_classes(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "in", 5, (40, 30), "png")
    paths = sorted(root.glob("*/*.png"))
    assert [path.parent.name for path in paths] == ["class0"] * 3 + ["class1"] * 2
    pixels = []
    for path in paths:
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("RGB", (40, 30))
            pixels.append(image.tobytes())
    assert len(set(pixels)) == 5


def test_tensors_are_smoother_than_noise() -> None:
    """Power that falls with the frequency: neighbours are alike, as in photographs."""
    images_BCHW = fractal_pictures(4, 64)
    assert images_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert images_BCHW.min() >= 0
    assert images_BCHW.max() <= 255
    for image_CHW in images_BCHW.numpy():
        for plane_HW in image_CHW:
            # Of noise it would be 0, with a standard error of 0.016.
            assert np.corrcoef(plane_HW[1:].ravel(), plane_HW[:-1].ravel())[0, 1] > 0.5
    assert len({image_CHW.sum().item() for image_CHW in images_BCHW}) == 4
