"""OpenCV, one image at a time."""

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixqual.bench.peers.registry import Pixels, image
from mixqual.distortions.defocus_blur import disk_quadrants
from mixqual.distortions.motion_blur import line_quadrants

# Its own types know less than it takes.
cv2: Any = importlib.import_module("cv2")
cv2.setNumThreads(1)
_RANDOM = np.random.default_rng(0)
_LUMA = (0.299, 0.587, 0.114)


@image("gaussian_blur", "opencv")
def gaussian_blur(image: Pixels, level: float) -> Pixels:
    return cv2.GaussianBlur(image, (0, 0), level, borderType=cv2.BORDER_REFLECT)


@image("defocus_blur", "opencv")
def defocus_blur(image: Pixels, level: float) -> Pixels:
    quadrant = disk_quadrants(torch.tensor([level], dtype=torch.float64))
    return cv2.filter2D(image, -1, _kernel(quadrant, quadrant), borderType=cv2.BORDER_REFLECT)


@image("motion_blur", "opencv")
def motion_blur(image: Pixels, level: float) -> Pixels:
    angle = torch.tensor([180 * _RANDOM.random()], dtype=torch.float64)
    quadrants = line_quadrants(torch.tensor([level], dtype=torch.float64), angle)
    return cv2.filter2D(image, -1, _kernel(*quadrants), borderType=cv2.BORDER_REFLECT)


@image("zoom_blur", "opencv")
def zoom_blur(image: Pixels, level: float) -> Pixels:
    side = image.shape[0]
    steps = max(1, int(np.ceil(level * (side - 1) / 2)))
    total = image.copy()
    for step in range(1, steps + 1):
        zoom = 1 + level * step / steps
        offset = (1 - zoom) * (side - 1) / 2
        matrix = np.array([[zoom, 0, offset], [0, zoom, offset]])
        total += cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return total / (steps + 1)


@image("gaussian_noise", "opencv")
def gaussian_noise(image: Pixels, level: float) -> Pixels:
    return cv2.add(image, cv2.randn(np.empty_like(image), (0, 0, 0), (level, level, level)))


@image("brightness", "opencv")
def brightness(image: Pixels, level: float) -> Pixels:
    return cv2.min(cv2.add(image, (level, level, level, 0)), (255, 255, 255, 0))


@image("contrast", "opencv")
def contrast(image: Pixels, level: float) -> Pixels:
    means = np.array(cv2.mean(image)[:3])
    affine = np.hstack([level * np.eye(3), (1 - level) * means[:, None]])
    return cv2.transform(image, affine)


@image("desaturation", "opencv")
def desaturation(image: Pixels, level: float) -> Pixels:
    matrix = level * np.eye(3) + (1 - level) * np.array(_LUMA)
    return np.clip(cv2.transform(image, matrix), 0, 255)


@image("oversaturation", "opencv")
def oversaturation(image: Pixels, level: float) -> Pixels:
    matrix = level * np.eye(3) + (1 - level) * np.array(_LUMA)
    return np.clip(cv2.transform(image, matrix), 0, 255)


@image("jpeg", "opencv")
def jpeg(image: Pixels, level: float) -> Pixels:
    _, code = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, round(level)))
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


@image("downsampling", "opencv")
def downsampling(image: Pixels, level: float) -> Pixels:
    side = image.shape[0]
    small = (round(side / level),) * 2
    return cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (side, side))


@image("elastic", "opencv")
def elastic(image: Pixels, level: float) -> Pixels:
    height, width = image.shape[:2]
    sigma = 0.05 * width
    shift = [
        cv2.GaussianBlur(_RANDOM.standard_normal((height, width), np.float32), (0, 0), sigma)
        for _ in range(2)
    ]
    rows, columns = np.indices((height, width), np.float32)
    scale = np.float32(level * sigma)
    return cv2.remap(
        image,
        columns + scale * shift[0],
        rows + scale * shift[1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )


def _kernel(right_1RR: Tensor, left_1RR: Tensor) -> Pixels:
    lower_RK = torch.cat([left_1RR[0, :, 1:].flip(1), right_1RR[0]], 1)
    return torch.cat([lower_RK[1:].flip(0, 1), lower_RK], 0).numpy().astype(np.float32)
