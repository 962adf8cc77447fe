"""Motion blur: the camera or the object moved along a straight line during the exposure.

The kernel comes from a few points for each pixel that the line passes; the rest of the time is that
of `convolution`.
"""

import math
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.convolution import convolve
from mixqual.distortions.keyed import generators
from mixqual.errors import DistortionError


@final
@register
class MotionBlur(Distortion):
    """Takes the mean along a straight line about each pixel; the level is its length in pixels.

    Between pixels the image is interpolated bilinearly, and its border is mirrored. Option:
    `angle` of the line in degrees, counter-clockwise as seen, 0 along the row; or "random", which
    draws an angle for each image, the same at every level.
    """

    name = "motion_blur"
    unit = "pixels"
    worst_level = 500.0
    quantity = "length"
    scales_with_size = True
    random = True

    def __init__(self, angle: float | str = "random") -> None:
        if isinstance(angle, str):
            known = angle == "random"
        else:
            number = isinstance(angle, int | float) and not isinstance(angle, bool)
            known = number and -math.inf < angle < math.inf
        if not known:
            raise DistortionError(
                f'{self.name}: angle is a number of degrees or "random", not {angle!r}'
            )
        self.angle = angle
        self.random = angle == "random"

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        if isinstance(self.angle, str):
            assert keys_B is not None
            angles_B = torch.empty_like(levels_B)
            for index, generator in enumerate(generators(seed, keys_B)):
                angles_B[index].uniform_(0, 180, generator=generator)
        else:
            angles_B = torch.full_like(levels_B, self.angle % 180)
        return convolve(images_BCHW, *line_quadrants(levels_B, angles_B))


def line_quadrants(lengths_B: Tensor, angles_B: Tensor) -> tuple[Tensor, Tensor]:
    """Return the right and left quadrants of the kernels of lines, as `convolve` takes them.

    Lengths (positive) are in pixels, angles in degrees, both float64. A weight is the mean along
    the line of the bilinear weight of its pixel. That is quadratic between the places where the
    line passes into another row or column of pixel centres, so two points (of Gauss and Legendre)
    in each of these pieces give it exactly.
    """
    halves_B1 = lengths_B[:, None] / 2
    sines_B, cosines_B = torch.deg2rad(angles_B).sin(), torch.deg2rad(angles_B).cos()
    slopes_B2 = torch.stack([sines_B, cosines_B], 1).abs()  # rows and columns for each pixel
    reach = math.ceil(float((halves_B1 * slopes_B2).max()))
    # One half of the line is enough, as the other only mirrors it.
    crossings_B2R = torch.arange(reach + 1, dtype=torch.float64) / slopes_B2[:, :, None]
    crossings_BT = crossings_B2R.flatten(1).nan_to_num(0.0)  # 0 / 0 is the centre
    ends_BT = torch.cat([crossings_BT, halves_B1], 1).minimum(halves_B1).sort(1).values
    pieces_BT = ends_BT.diff(dim=1)
    middles_BT = ends_BT[:, 1:] - pieces_BT / 2
    aside_BT = pieces_BT / (2 * 3**0.5)
    points_BT = torch.cat([middles_BT - aside_BT, middles_BT + aside_BT], 1)
    weights_BT = pieces_BT.repeat(1, 2) / (4 * halves_B1)  # of half the line: they sum to 1/2
    half_BRR = _spread_bilinearly(points_BT[:, None] * slopes_B2[:, :, None], weights_BT, reach + 2)
    half_BRR[:, 0, 0] *= 2  # both halves begin there
    other_BRR = half_BRR.clone()
    other_BRR[:, 1:, 1:] = 0  # the line is not there, but rows and columns of the centre are shared
    falls_B11 = (sines_B * cosines_B < 0)[:, None, None]
    return (
        torch.where(falls_B11, half_BRR, other_BRR),
        torch.where(falls_B11, other_BRR, half_BRR),
    )


def _spread_bilinearly(places_B2T: Tensor, weights_BT: Tensor, side: int) -> Tensor:
    """Add each weight to the four pixels about its place (row and column): (B, side, side)."""
    first_B2T = places_B2T.floor()
    rows_BT, columns_BT = first_B2T.long().unbind(1)
    down_BT, right_BT = (places_B2T - first_B2T).unbind(1)
    sums_BX = places_B2T.new_zeros(len(places_B2T), side * side)
    for row, share_down_BT in ((0, 1 - down_BT), (1, down_BT)):
        for column, share_right_BT in ((0, 1 - right_BT), (1, right_BT)):
            pixels_BT = (rows_BT + row) * side + columns_BT + column
            sums_BX.scatter_add_(1, pixels_BT, weights_BT * share_down_BT * share_right_BT)
    return sums_BX.view(-1, side, side)
