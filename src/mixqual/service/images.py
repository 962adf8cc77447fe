"""Uploaded bytes as the pixels that a mixture takes, and pixels as a picture for a page."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mixqual.deploy.inputs import pixels_of
from mixqual.errors import DataError
from mixqual.images.opening import identify
from mixqual.service.refusals import Refusal

Pixels = NDArray[np.uint8]


def check_sizes(contents: Sequence[bytes], max_pixels: int) -> None:
    """Refuse (413) images whose headers claim more pixels, before any is decoded."""
    for number, content in enumerate(contents, 1):
        try:
            with identify(io.BytesIO(content)) as image:
                pixels = image.width * image.height
        except Image.DecompressionBombError:
            pixels = max_pixels + 1
        except Exception:  # decoding will say what is wrong with it
            continue
        if pixels > max_pixels:
            raise Refusal(413, f"image {number} has more than {max_pixels} pixels")


def read_pixels(content: bytes, size: int, interpolation: str) -> Pixels | DataError:
    """The pixels (size, size, 3) of one image, as in training, or why there are none."""
    try:
        return pixels_of(content, size, interpolation)
    except DataError as error:
        # Not the error itself: its traceback holds the thread's frames, which will hold the answer
        # and with it the error, a circle that keeps the image until the garbage collector comes by.
        return DataError(str(error))


def data_uri(image_CHW: NDArray[np.float32]) -> str:
    """A PNG file of an image in 0...255, rounded and clipped, as a data URI."""
    pixels_HWC = np.moveaxis(image_CHW.round().clip(0, 255).astype(np.uint8), 0, 2)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels_HWC)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
