"""Uploaded bytes as the pixels that a mixture takes, and pixels as a picture for a page."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mixqual.data.opening import identify
from mixqual.deploy.inputs import batch_of, pixels_of
from mixqual.distortions import distortion
from mixqual.errors import DataError
from mixqual.level_grids import scale
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
        return error


def degraded(pixels_HWC: Pixels, noise: float, blur: float, seed: int) -> Tensor:
    """Blur an image as optics would, then add the sensor's noise: floats (3, H, W).

    `noise` is a deviation in grey levels; `blur` one in pixels of a 224-pixel image, scaled to this
    one as in a study. As there, nothing is clipped.
    """
    images_BCHW = batch_of([pixels_HWC])
    for name, level in (("gaussian_blur", blur), ("gaussian_noise", noise)):
        kind = distortion(name)
        levels_B = torch.tensor([level * scale(kind, images_BCHW.shape[-1])], dtype=torch.float64)
        images_BCHW = kind(images_BCHW, levels_B, seed=seed)
    return images_BCHW[0]


def data_uri(image_CHW: Tensor) -> str:
    """A PNG file of an image in 0...255, rounded and clipped, as a data URI."""
    pixels_HWC = image_CHW.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels_HWC)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
