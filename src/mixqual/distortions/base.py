"""The contract of every distortion, and the registry that finds one by its name.

A distortion lives in one file of this package: a final subclass of `Distortion` under
`@register`. Importing the package registers it; nothing else has to be edited.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from mixqual.errors import DistortionError, InvalidImageError, InvalidLevelError

D = TypeVar("D", bound="Distortion")

_REGISTRY: dict[str, type["Distortion"]] = {}
# Odd 64-bit constant (2^64 / golden ratio): multiplying by it spreads every input bit upwards.
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)


class Distortion(ABC):
    """Damages images, each by its own level in the distortion's physical unit.

    Call with `images_BCHW` (uint8, or floating point in 0...255; 1 or 3 channels; any H and W, any
    device) and `levels_B`. The result has the same shape, type, device and memory format. Level
    `clean_level` leaves an image bit-exact; from there to `worst_level`, which may lie below it
    (the quality of JPEG), the damage grows.

    Random distortions are keyed by (seed, image): an image gets the same pixels whatever batch it
    is in, in any order, process or device. The image's key is a hash of its pixels unless
    `keys_B` (int64) gives others.

    Raises `InvalidImageError` or `InvalidLevelError` for input outside this contract, also for
    fractions in 0...1, which are images on another scale.
    """

    name: str
    """The name in study files, commands and the registry."""
    unit: str
    """Unit of the level, for axes and tables."""
    clean_level: float = 0.0
    """The level that means none."""
    worst_level: float
    """Levels lie between `clean_level` and this one."""
    quantity: str = "level"
    """What the level is, in a word for axes, such as "σ", "radius" or "quality"."""
    scales_with_size: bool = False
    """Whether the level is a length in pixels, which shrinks with the image."""
    random: bool = False
    """Whether the result depends on the seed."""
    gray: bool | None = None
    """Its option `gray`, for random numbers that differ from channel to channel: whether all
    channels of an image share them. None where there is no such choice."""
    fingerprint: str = ""
    """Of code that is not mixqual's: results depend on it as they do on name and options."""

    def __call__(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int = 0, keys_B: Tensor | None = None
    ) -> Tensor:
        _check_scale(images_BCHW, _largest(images_BCHW))
        return self._distort(images_BCHW, levels_B, seed, keys_B)

    def chained(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int = 0, keys_B: Tensor | None = None
    ) -> Tensor:
        """Distort what another distortion returned, which may be dark: all numbers below 1."""
        check_images(images_BCHW)
        return self._distort(images_BCHW, levels_B, seed, keys_B)

    def _distort(
        self, images_BCHW: Tensor, levels_B: Tensor, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        levels_B = self._check_levels(images_BCHW, levels_B)
        if keys_B is not None:
            self._check_keys(images_BCHW, keys_B)
        elif self.random:
            keys_B = image_keys(images_BCHW)
        changed_B = levels_B != self.clean_level
        if not bool(changed_B.any()):
            return images_BCHW.clone()
        whole = bool(changed_B.all())
        # Work in at least single precision, on the images that change: the others stay bit-exact.
        chosen_BCHW = images_BCHW if whole else images_BCHW[changed_B]
        work_dtype = torch.float64 if images_BCHW.dtype == torch.float64 else torch.float32
        distorted_BCHW = self.apply(
            chosen_BCHW.to(work_dtype),
            levels_B[changed_B],
            seed=seed,
            keys_B=None if keys_B is None else keys_B[changed_B],
        )
        distorted_BCHW = _to_kind(distorted_BCHW, images_BCHW.dtype)
        if whole:
            return distorted_BCHW
        result_BCHW = images_BCHW.clone()
        result_BCHW[changed_B] = distorted_BCHW
        return result_BCHW

    @abstractmethod
    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        """Distort checked floating-point images; no level is clean (float64, on the CPU)."""

    def _check_levels(self, images_BCHW: Tensor, levels_B: Tensor) -> Tensor:
        if not isinstance(levels_B, Tensor):  # NumPy reads a list in full precision
            levels_B = torch.as_tensor(np.asarray(levels_B))
        if levels_B.shape != (len(images_BCHW),):
            raise InvalidLevelError(
                f"{self.name}: levels must be one number per image, shape ({len(images_BCHW)},), "
                f"not {tuple(levels_B.shape)}"
            )
        if levels_B.dtype == torch.bool or levels_B.is_complex():
            raise InvalidLevelError(f"{self.name}: levels must be numbers, not {levels_B.dtype}")
        levels_B = levels_B.to(device="cpu", dtype=torch.float64)
        low, high = self.bounds
        bad_B = ~((levels_B >= low) & (levels_B <= high))  # NaN is bad, too
        if bool(bad_B.any()):
            position = int(bad_B.nonzero()[0])
            raise InvalidLevelError(
                f"{self.name}: level {levels_B[position].item():g} (image {position} of the batch) "
                f"is outside {low:g}...{high:g} {self.unit}"
            )
        return levels_B

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number that is a level."""
        low, high = sorted((self.clean_level, self.worst_level))
        return low, high

    def _check_keys(self, images_BCHW: Tensor, keys_B: Tensor) -> None:
        if keys_B.shape != (len(images_BCHW),) or keys_B.dtype != torch.int64:
            raise DistortionError(
                f"{self.name}: keys must be one int64 per image, shape ({len(images_BCHW)},), "
                f"not {keys_B.dtype} {tuple(keys_B.shape)}"
            )


def check_images(images_BCHW: Tensor) -> None:
    """Raise `InvalidImageError` unless this is a batch of images as distortions take them."""
    _largest(images_BCHW)


def _largest(images_BCHW: Tensor) -> float:
    """Check images, and return their largest number, or the largest that there is of bytes."""
    if not isinstance(images_BCHW, Tensor):
        raise InvalidImageError(f"images must be a tensor, not {type(images_BCHW).__name__}")
    if images_BCHW.ndim != 4 or images_BCHW.shape[1] not in (1, 3) or 0 in images_BCHW.shape[2:]:
        raise InvalidImageError(
            "images must have shape (batch, 1 or 3 channels, height, width), "
            f"not {tuple(images_BCHW.shape)}"
        )
    if images_BCHW.dtype == torch.uint8:
        return 255
    if not images_BCHW.is_floating_point():
        raise InvalidImageError(f"images must be uint8 or floating point, not {images_BCHW.dtype}")
    if images_BCHW.numel() == 0:
        return 0
    if not images_BCHW.is_contiguous():  # `aminmax` would copy channels_last
        images_BCHW = images_BCHW.permute(0, 2, 3, 1)
    low, high = (bound.item() for bound in torch.aminmax(images_BCHW))
    if low != low or high != high:
        raise InvalidImageError("images hold NaN")
    if low < 0 or high > 255:
        raise InvalidImageError(
            f"images must lie in 0...255, but they span {low:g}...{high:g}; "
            "distort before normalising"
        )
    return high


def _check_scale(images_BCHW: Tensor, high: float) -> None:
    """Refuse images in 0...1, as other libraries have them.

    Whole numbers are none of those: 0 and 1 are the darkest that an image of bytes has.
    """
    if 0 < high <= 1 and bool((images_BCHW != images_BCHW.round()).any()):
        raise InvalidImageError(
            f"images must lie in 0...255, but these end at {high:g}, as if 1 were white; "
            "multiply them by 255"
        )


def image_keys(images_BCHW: Tensor) -> Tensor:
    """Return a 64-bit hash (int64, shape (B,)) of each image's pixels.

    The hash depends on the values and their places only: not on the device, the memory format, or
    whether the image is uint8 or floating point.
    """
    keys_B = torch.empty(len(images_BCHW), dtype=torch.int64, device=images_BCHW.device)
    # In the memory format of the images.
    factors_1CHW = torch.empty_like(images_BCHW[:1], dtype=torch.int64)
    factors_1CHW.copy_(_factors(factors_1CHW.numel()).view_as(factors_1CHW))
    together = len(images_BCHW) if images_BCHW.is_cuda else 1  # one at a time stays in the cache
    parts = zip(torch.split(images_BCHW, together), torch.split(keys_B, together), strict=True)
    for part_BCHW, part_B in parts:
        # Adding zero turns -0.0 into 0.0.
        words_BCHW = (part_BCHW.to(torch.float32) + 0.0).view(torch.int32)
        # Multilinear hash modulo 2^64: exact in any order of summation, hence on any device.
        torch.sum(words_BCHW * factors_1CHW, (1, 2, 3), out=part_B)
    return keys_B


@lru_cache(maxsize=1)
def _factors(count: int) -> Tensor:
    """The odd factors of an image's numbers, by their place."""
    places_N = torch.arange(1, count + 1) * _GOLDEN
    return (places_N ^ (places_N >> 29)) * _GOLDEN | 1


def _to_kind(images_BCHW: Tensor, dtype: torch.dtype) -> Tensor:
    if dtype == torch.uint8:
        return images_BCHW.round().clamp_(0, 255).to(torch.uint8)
    return images_BCHW.to(dtype)


def register(cls: type[D]) -> type[D]:
    """Class decorator that makes a distortion known by its name; refuses a name that is taken."""
    if cls.name in _REGISTRY:
        raise DistortionError(
            f"distortion {cls.name!r} is registered already, by {_REGISTRY[cls.name].__module__}"
        )
    _REGISTRY[cls.name] = cls
    return cls


def distortions() -> tuple[str, ...]:
    """The names of all registered distortions, sorted."""
    return tuple(sorted(_REGISTRY))


def registered_distortion(name: str, /, **options: Any) -> Distortion:
    """Return the registered distortion of that name, with its options set."""
    if name not in _REGISTRY:
        raise DistortionError(
            f"unknown distortion {name!r}; known are {', '.join(distortions())}, "
            "and your own as module:function"
        )
    try:
        return _REGISTRY[name](**options)
    except TypeError as error:
        raise DistortionError(f"{name}: unusable options {options}: {error}") from None
