"""NumPy, SciPy and Pillow, one image at a time, as a program written by hand would use them."""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from mixqual.bench.peers.registry import Pixels, image

_RANDOM = np.random.default_rng(0)


@image("gaussian_noise", "numpy")
def gaussian_noise(image: Pixels, level: float) -> Pixels:
    return image + level * _RANDOM.standard_normal(image.shape, np.float32)


@image("speckle_noise", "numpy")
def speckle_noise(image: Pixels, level: float) -> Pixels:
    return image + image * (level * _RANDOM.standard_normal(image.shape, np.float32))


@image("shot_noise", "numpy")
def shot_noise(image: Pixels, level: float) -> Pixels:
    grey_per_photon = level**2 / 255
    return (_RANDOM.poisson(image / grey_per_photon) * grey_per_photon).astype(np.float32)


@image("impulse_noise", "numpy")
def impulse_noise(image: Pixels, level: float) -> Pixels:
    draws = _RANDOM.random(image.shape, np.float32)
    noisy = image.copy()
    noisy[draws < level / 2] = 255
    noisy[draws >= 1 - level / 2] = 0
    return noisy


@image("low_light", "numpy")
def low_light(image: Pixels, level: float) -> Pixels:
    white = 10_000 * 2**-level
    photons = _RANDOM.poisson(_linear(image) * white)
    electrons = photons + 5 * _RANDOM.standard_normal(image.shape, np.float32)
    return _curved((electrons / 10_000).astype(np.float32))


@image("brightness", "numpy")
def brightness(image: Pixels, level: float) -> Pixels:
    return np.clip(image + np.float32(level), 0, 255)


@image("contrast", "numpy")
def contrast(image: Pixels, level: float) -> Pixels:
    mean = image.mean((0, 1))
    return mean + np.float32(level) * (image - mean)


@image("exposure", "numpy")
def exposure(image: Pixels, level: float) -> Pixels:
    return _curved(np.minimum(_linear(image) * np.float32(2**level), 1))


@image("gaussian_blur", "scipy")
def gaussian_blur(image: Pixels, level: float) -> Pixels:
    return gaussian_filter(image, (level, level, 0), mode="reflect", truncate=4)


@image("jpeg", "pillow")
def jpeg(image: Pixels, level: float) -> Pixels:
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=round(level))
    return np.asarray(Image.open(file))


def _linear(image: Pixels) -> Pixels:
    signal = image / np.float32(255)
    curved = ((signal + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(signal <= 0.04045, signal / np.float32(12.92), curved)


def _curved(light: Pixels) -> Pixels:
    light = np.clip(light, 0, 1)
    curved = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.float32(255) * np.where(light <= 0.0031308, np.float32(12.92) * light, curved)
