"""Whether an exported file answers as the networks do that it was made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_file import Parity
from mixqual.distortions import distortion
from mixqual.distortions.fractal_field import fractal_fields
from mixqual.errors import BundleError

Answer = Callable[[NDArray[np.uint8]], tuple[NDArray[Any], NDArray[Any]]]
"""From images (B, 3, size, size) to probabilities_BK and weights_BE."""

MOST = 1e-4
"""The largest difference of a probability that is let pass."""

_IMAGES = 8
_EXPONENT = 2.0
"""Power of photographs falls about so with the frequency (Field, JOSA A 1987)."""
_SHARE_OF_COLOUR = 0.3
_STRONGEST = {"gaussian_noise": 100.0, "gaussian_blur": 10.0}
"""The paper's levels, the latter for 224 pixels, where the manifest has none."""
_SHARES = (0.5, 1.0)
"""Of the way to the strongest level."""


def parity(manifest: Manifest, one: Answer, other: Answer) -> Parity:
    """Compare answers on images with the spectrum of photographs, clean, noisy and blurred."""
    batches = probe_batches(manifest)
    found = [_differences(one, other, images_BCHW) for images_BCHW in batches]
    return Parity(
        clean=found[0][0],
        distorted=_largest([p for p, _ in found[1:]]),
        weights=_largest([w for _, w in found]),
        images=sum(map(len, batches)),
    )


def probe_batches(manifest: Manifest) -> list[NDArray[np.uint8]]:
    """Eight images: clean, then with noise and with blur at the manifest's levels."""
    clean_BCHW = probe_images(manifest.size)
    return [_as_bytes(images) for images in (clean_BCHW, *_distorted(manifest, clean_BCHW))]


def check_parity(found: Parity, what: str) -> None:
    """Raise `BundleError` if probabilities or weights differ by more than `MOST`."""
    differences = (found.clean, found.distorted, found.weights)
    if not all(difference <= MOST for difference in differences):  # NaN is not
        raise BundleError(
            f"{what} would not answer as its networks do: probabilities or weights differ by "
            f"{', '.join(format(difference, '.2g') for difference in differences)} (clean images, "
            f"distorted ones, weights), and {MOST:g} is let pass; nothing was written, export a "
            "bundle (.mixqual)"
        )


def probe_images(size: int) -> Tensor:
    """Float images (8, 3, size, size) in 0...255: random fields, alike but not the same by colour.

    Their brightness and contrast differ from image to image.
    """
    keys_B = torch.arange(_IMAGES)
    gray, *colours = (fractal_fields(seed, keys_B, size, size, _EXPONENT) for seed in range(4))
    fields_BCHW = gray[:, None] + _SHARE_OF_COLOUR * torch.stack(colours, 1)
    brightness_B111 = torch.linspace(70, 190, _IMAGES)[:, None, None, None]
    contrast_B111 = torch.linspace(60, 15, _IMAGES)[:, None, None, None]
    return (brightness_B111 + contrast_B111 * fields_BCHW).clamp(0, 255)


def _distorted(manifest: Manifest, images_BCHW: Tensor) -> list[Tensor]:
    found = []
    for name, strongest in _STRONGEST.items():
        kind = distortion(name)
        if name in manifest.distortions:
            level = manifest.distortions[name].levels[-1]
        else:
            level = strongest * (manifest.size / 224 if kind.scales_with_size else 1)
        for share in _SHARES:
            levels_B = torch.full((len(images_BCHW),), share * level, dtype=torch.float64)
            found.append(kind(images_BCHW, levels_B))
    return found


def _largest(differences: list[float]) -> float:
    return float(np.max(differences))  # NaN if one is


def _as_bytes(images_BCHW: Tensor) -> NDArray[np.uint8]:
    values: NDArray[np.uint8] = images_BCHW.round().clamp(0, 255).to(torch.uint8).numpy()
    return values


def _differences(one: Answer, other: Answer, images_BCHW: NDArray[np.uint8]) -> tuple[float, float]:
    pairs = zip(one(images_BCHW), other(images_BCHW), strict=True)
    p, w = (float(np.abs(a - b).max()) for a, b in pairs)
    return p, w
