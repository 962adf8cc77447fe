"""An image as a worse camera would have taken it; the one part of a service that needs torch."""

import numpy as np
import torch
from numpy.typing import NDArray

from mixqual.deploy.inputs import batch_of
from mixqual.distortions import distortion
from mixqual.level_grids import scale
from mixqual.service.images import Pixels


def degraded(
    pixels_HWC: Pixels, noise: float, blur: float, seed: int, gray: bool
) -> NDArray[np.float32]:
    """Blur an image as optics would, then add the sensor's noise: floats (3, H, W).

    `noise` is a deviation in grey levels; `blur` one in pixels of a 224-pixel image, scaled to this
    one as in a study. As there, nothing is clipped. With `gray` all channels have the same noise.
    """
    images_BCHW = torch.from_numpy(batch_of([pixels_HWC])).to(torch.float32)
    steps = (
        (distortion("gaussian_blur"), blur),
        (distortion("gaussian_noise", gray=gray), noise),
    )
    for kind, level in steps:
        levels_B = torch.tensor([level * scale(kind, images_BCHW.shape[-1])], dtype=torch.float64)
        images_BCHW = kind.chained(images_BCHW, levels_B, seed=seed)
    image_CHW: NDArray[np.float32] = images_BCHW[0].numpy()
    return image_CHW
