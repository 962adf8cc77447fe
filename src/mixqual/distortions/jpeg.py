"""Compression by JPEG: Pillow's libjpeg-turbo codes and decodes one image at a time, in memory.

Nearly all of the time is that library's own, which codes by vector instructions. torchvision has
it, too, but deprecated the functions in 0.29.
"""

from io import BytesIO
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.errors import InvalidImageError

_LONGEST_SIDE = 65_500  # the limit of libjpeg


@final
@register
class Jpeg(Distortion):
    """Stores the image as JPEG and reads it again; the level is the quality of libjpeg, 100...1.

    Pixels are rounded to 8 bits first; colour is kept at half the resolution (4:2:0), the default
    of most programs. Level 100 means not compressed at all. Other qualities are rounded to whole
    ones: so 99.6 compresses at quality 100, which still loses a little.
    Raises `InvalidImageError` for a side above 65,500 pixels, which JPEG cannot store.
    """

    name = "jpeg"
    unit = "of 100"
    clean_level = 100.0
    worst_level = 1.0
    quantity = "quality"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        if max(images_BCHW.shape[2:]) > _LONGEST_SIDE:
            raise InvalidImageError(
                f"{self.name}: a side has at most {_LONGEST_SIDE} pixels in this format, but the "
                f"images are {images_BCHW.shape[2]} x {images_BCHW.shape[3]}; make them smaller"
            )
        result_BCHW = torch.empty_like(images_BCHW)
        for image_CHW, result_CHW, level in zip(
            images_BCHW, result_BCHW, levels_B.tolist(), strict=True
        ):
            pixels_CHW = image_CHW.clamp(0, 255).round_().to("cpu", torch.uint8)
            pixels_HWC = pixels_CHW.permute(1, 2, 0).contiguous().numpy()
            coded_HWC = torch.from_numpy(_coded(pixels_HWC, round(level)))
            result_CHW.copy_(coded_HWC.permute(2, 0, 1))
        return result_BCHW


def _coded(pixels_HWC: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    gray = pixels_HWC.shape[2] == 1
    file = BytesIO()
    Image.fromarray(pixels_HWC[:, :, 0] if gray else pixels_HWC).save(
        file, "JPEG", quality=quality, subsampling="4:2:0"
    )
    file.seek(0)
    # Not `Image.open`, which takes a large image for an attack.
    return np.array(JpegImageFile(file)).reshape(pixels_HWC.shape)
