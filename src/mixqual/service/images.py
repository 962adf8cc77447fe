"""Pixels as a mixture takes them, and as a picture for a page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""(size, size, 3), as in training."""


def data_uri(image_CHW: NDArray[np.float32]) -> str:
    """A PNG file of an image in 0...255, rounded and clipped, as a data URI."""
    pixels_HWC = np.moveaxis(image_CHW.round().clip(0, 255).astype(np.uint8), 0, 2)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels_HWC)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
