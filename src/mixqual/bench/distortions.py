"""Blur and noise of a batch with a different level for each image, against what others offer."""

import importlib.metadata
import importlib.util

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from mixqual.bench.timing import Ratio, compare
from mixqual.distortions import distortion

_BATCH, _SIDE = 32, 224


def measure() -> list[Ratio]:
    """Compare on a batch of 32 at 3x224x224, on one thread, as the peers run on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> list[Ratio]:
    generator = torch.Generator().manual_seed(0)
    images_BCHW = torch.rand((_BATCH, 3, _SIDE, _SIDE), generator=generator) * 255
    images_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
    images_BHWC = images_BCHW.permute(0, 2, 3, 1).numpy()
    sigmas_B = 10 * (1 - torch.rand(_BATCH, generator=generator, dtype=torch.float64))
    blur, noise = distortion("gaussian_blur"), distortion("gaussian_noise")
    settings = f"batch {_BATCH}, 3x{_SIDE}x{_SIDE}, float32, one thread, a level for each image"

    def by_scipy() -> list[np.ndarray]:
        return [
            gaussian_filter(image, (sigma, sigma, 0), mode="reflect", truncate=4)
            for image, sigma in zip(images_BHWC, sigmas_B.tolist(), strict=True)
        ]

    scales_B = sigmas_B.numpy().astype(np.float32)[:, None, None, None]

    def by_numpy() -> np.ndarray:
        draws = np.random.default_rng(0).standard_normal(images_BHWC.shape, dtype=np.float32)
        noisy_BHWC: np.ndarray = images_BHWC + draws * scales_B
        return noisy_BHWC

    def one_draw() -> torch.Tensor:
        return torch.randn(images_BCHW.shape)

    def blurred() -> torch.Tensor:
        return blur(images_BCHW, sigmas_B)

    def noisy() -> torch.Tensor:
        return noise(images_BCHW, sigmas_B)

    rows = [
        compare(
            "gaussian_blur", blurred, f"scipy {_version('scipy')}", by_scipy, settings=settings
        ),
        compare("gaussian_noise", noisy, f"numpy {_version('numpy')}", by_numpy, settings=settings),
        compare("gaussian_noise", noisy, "floor: one normal draw", one_draw, settings=settings),
    ]
    if importlib.util.find_spec("cv2"):  # the bench extra
        import cv2

        cv2.setNumThreads(1)

        def by_opencv() -> list[np.ndarray]:
            return [
                cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT, sigmaY=sigma)
                for image, sigma in zip(images_BHWC, sigmas_B.tolist(), strict=True)
            ]

        against = f"opencv {_version('opencv-python-headless')}"
        rows.append(compare("gaussian_blur", blurred, against, by_opencv, settings=settings))
    return rows


def _version(package: str) -> str:
    return importlib.metadata.version(package)
