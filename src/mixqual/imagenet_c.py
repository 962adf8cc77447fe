"""ImageNet-C: its corruptions at their five severities, as distortions and levels of mixqual.

Reference: D. Hendrycks and T. Dietterich, Benchmarking neural network robustness to common
corruptions and perturbations (ICLR 2019), with the parameters of their code for images of 224
pixels (github.com/hendrycks/robustness, ImageNet-C/create_c). The four extra corruptions were meant
for validation.

A corruption is `exact` where mixqual's distortion is the same model with the same parameters: what
differs are borders, rounding and random numbers. Of the others, `note` says how the models differ.
Their levels are those that do about the original's damage, its mean squared error on two
photographs, if the note names nothing else that they have in common.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from mixqual.distortions import Distortion, distortion, gray_options
from mixqual.errors import DistortionError
from mixqual.level_grids import REFERENCE_SIZE, scale

SEVERITIES = (1, 2, 3, 4, 5)
IMAGE_SIZE = REFERENCE_SIZE
"""Side in pixels of the images that levels are for."""


@final
@dataclass(frozen=True)
class Mapped:
    """One severity of a corruption: a distortion, its level in its own unit, and its options."""

    distortion: str
    level: float
    options: Mapping[str, bool | float | str] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Corruption:
    """A corruption of ImageNet-C, and what it is at severities 1 to 5."""

    name: str
    group: str
    """noise, blur, weather, digital or extra."""
    exact: bool
    """Whether it is the original's model with its parameters."""
    severities: tuple[Mapped, ...]
    note: str
    """What the original's parameters are, or how its model differs."""


def corruption(name: str, severity: int, *, gray: bool = False) -> Mapped:
    """Return what a corruption of ImageNet-C is at a severity.

    With `gray` its noise is the same in all channels, as of a sensor without colour. Raises
    `DistortionError` for an unknown name, or a severity that is not 1, 2, 3, 4 or 5.
    """
    if name not in CORRUPTIONS:
        raise DistortionError(
            f"ImageNet-C has no corruption {name!r}; it has {', '.join(CORRUPTIONS)}"
        )
    if not isinstance(severity, int) or isinstance(severity, bool) or severity not in SEVERITIES:
        raise DistortionError(
            f"{name}: a severity of ImageNet-C is 1, 2, 3, 4 or 5, not {severity!r}; "
            "the clean image is none of them, so leave the distortion out for that"
        )
    mapped = CORRUPTIONS[name].severities[severity - 1]
    if not gray:
        return mapped
    return replace(mapped, options=gray_options(mapped.distortion, mapped.options))


def at_size(name: str, severity: int, size: int, *, gray: bool = False) -> tuple[Distortion, float]:
    """Return a corruption at a severity for images of `size` pixels: a distortion and its level.

    Raises what `corruption` raises.
    """
    mapped = corruption(name, severity, gray=gray)
    kind = distortion(mapped.distortion, **mapped.options)
    return kind, mapped.level * scale(kind, size)


def _rows(
    distortion: str, levels: Sequence[float], **options: bool | float | str
) -> tuple[Mapped, ...]:
    return tuple(Mapped(distortion, float(level), options) for level in levels)


_TABLE = (
    Corruption(
        "gaussian_noise",
        "noise",
        True,
        _rows("gaussian_noise", [255 * c for c in (0.08, 0.12, 0.18, 0.26, 0.38)], clip=True),
        "deviations, where white is 1",
    ),
    Corruption(
        "shot_noise",
        "noise",
        True,
        _rows("shot_noise", [255 / math.sqrt(c) for c in (60, 25, 12, 5, 3)], clip=True),
        "photons of white",
    ),
    Corruption(
        "impulse_noise",
        "noise",
        True,
        _rows("impulse_noise", (0.03, 0.06, 0.09, 0.17, 0.27)),
        "shares of the values",
    ),
    Corruption(
        "defocus_blur",
        "blur",
        True,
        _rows("defocus_blur", (3, 4, 6, 8, 10)),
        "radii in pixels; the original's disk has a rim that is jagged, then slightly blurred",
    ),
    Corruption(
        "glass_blur",
        "blur",
        False,
        _rows("glass_blur", (3.3, 3.1, 6.4, 5.6, 6.5)),
        "the original swaps pixels one after the other, twice or more, between two blurs",
    ),
    Corruption(
        "motion_blur",
        "blur",
        False,
        _rows("motion_blur", (6.54, 10.7, 17.0, 23.8, 30.2)),
        "the same spread along the line: the original's kernel is half a Gaussian, which shifts "
        "the image by 2 to 11 pixels besides, within 45 degrees of the row",
    ),
    Corruption(
        "zoom_blur",
        "blur",
        False,
        _rows("zoom_blur", (0.1, 0.15, 0.2, 0.24, 0.3)),
        "the same largest zooms: the original takes fewer steps, and counts the image itself "
        "twice, so that its mean squared error is up to a fifth less",
    ),
    Corruption(
        "snow",
        "weather",
        False,
        _rows("snow", (0.144, 0.306, 0.314, 0.43, 0.51)),
        "the original's flakes are enlarged noise, blurred along a line",
    ),
    Corruption(
        "frost",
        "weather",
        False,
        _rows("frost", (0.56, 0.727, 0.803, 0.785, 0.822)),
        "the original adds photographs of frost; by its own parameters 4 does less than 3",
    ),
    Corruption(
        "fog",
        "weather",
        False,
        _rows("fog", [math.log(1 + c) for c in (1.5, 2, 2.5, 2.5, 3)], airlight=150),
        "the same share of light comes through where the image has white in it: the original's fog "
        "is as deep everywhere but of uneven brightness, and fainter without white; the airlight "
        "is set by the damage",
    ),
    Corruption(
        "brightness",
        "weather",
        True,
        _rows("brightness", [255 * c for c in (0.1, 0.2, 0.3, 0.4, 0.5)], of="value"),
        "added to the V of HSV, where white is 1",
    ),
    Corruption(
        "contrast",
        "digital",
        True,
        _rows("contrast", (0.4, 0.3, 0.2, 0.1, 0.05)),
        "shares that are left",
    ),
    Corruption(
        "elastic_transform",
        "digital",
        False,
        _rows("elastic", (13.2, 22), smoothness=0.75) + _rows("elastic", (3.75, 3.95, 4.5)),
        "the original moves three corners at random (an affine map) and adds a finer field; most "
        "of the damage is the former's, and 1 and 2 do more than 3, 4 and 5",
    ),
    Corruption(
        "pixelate",
        "digital",
        False,
        _rows("downsampling", [224 / c for c in (134, 112, 89, 67, 56)], enlarge="nearest"),
        "the same sizes: the original reduces by the mean of a box, not a triangle",
    ),
    Corruption(
        "jpeg_compression",
        "digital",
        True,
        _rows("jpeg", (25, 18, 15, 10, 7)),
        "qualities",
    ),
    Corruption(
        "speckle_noise",
        "extra",
        True,
        _rows("speckle_noise", (0.15, 0.2, 0.35, 0.45, 0.6), clip=True),
        "deviations, relative to the value",
    ),
    Corruption(
        "gaussian_blur",
        "extra",
        True,
        _rows("gaussian_blur", (1, 2, 3, 4, 6)),
        "deviations in pixels",
    ),
    Corruption(
        "spatter",
        "extra",
        False,
        _rows("spatter", (0.0155, 0.092, 0.145), kind="water")
        + _rows("spatter", (0.116, 0.185), kind="mud"),
        "the original's water has an embossed rim and is added; water at 1 to 3, mud at 4 and 5",
    ),
    Corruption(
        "saturate",
        "extra",
        False,
        _rows("desaturation", (0.1, 0.0)) + _rows("oversaturation", (2.6, 3.05, 3.4)),
        "the original scales the S of HSV, which keeps V instead of luma: to lose colour brightens "
        "there, so that all colour lost does half of the damage of 2",
    ),
)

CORRUPTIONS: Mapping[str, Corruption] = {row.name: row for row in _TABLE}
"""All 19 by name, in the order of the paper, the extra ones last."""
NAMES = tuple(row.name for row in _TABLE if row.group != "extra")
"""The 15 corruptions of the benchmark."""
EXTRA_NAMES = tuple(row.name for row in _TABLE if row.group == "extra")
"""The 4 that were meant for validation."""
