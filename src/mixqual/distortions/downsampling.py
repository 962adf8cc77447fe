"""Loss of resolution: an image made smaller and enlarged again.

Every row of a resized image is a sum of a few weighted rows, and so are its columns. That is what
an embedding bag computes, at one product a pixel and neighbour; between both axes only an image
that is small along one of them has to be turned.

PyTorch's own antialiased `interpolate` is not used, as it cannot reduce by large factors on GPUs
and, up to 2.14, is wrong on the CPU for results of one column.
"""

from functools import lru_cache
from itertools import groupby
from math import ceil
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mixqual.distortions.averages import as_averages
from mixqual.distortions.base import Distortion, register
from mixqual.errors import DistortionError

_WAYS = ("bilinear", "nearest")


@final
@register
class Downsampling(Distortion):
    """Makes the image `level` times smaller, and as large as it was again.

    Sides are rounded to whole pixels, one at least: levels that make an image equally small are one
    level, and one pixel stays as it is. The image is reduced by a triangle filter as wide as two of
    the small pixels, which leaves next to no aliases (Pillow's BILINEAR). Option `enlarge`:
    "bilinear", the default, enlarges smoothly; "nearest" shows the large pixels.
    """

    name = "downsampling"
    unit = "times smaller"
    clean_level = 1.0
    worst_level = 64.0
    quantity = "factor"

    def __init__(self, enlarge: str = "bilinear") -> None:
        if enlarge not in _WAYS:
            raise DistortionError(
                f'{self.name}: enlarge is "bilinear" or "nearest", not {enlarge!r}'
            )
        self.enlarge = enlarge

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        height, width = images_BCHW.shape[2:]
        sizes = [
            (max(1, round(height / level)), max(1, round(width / level)))
            for level in levels_B.tolist()
        ]
        coarse_BCHW = torch.empty_like(images_BCHW)
        start = 0
        for size, run in groupby(sizes):  # neighbours that become equally small
            part = slice(start, start + len(list(run)))
            coarse_BCHW[part] = self._there_and_back(images_BCHW[part], *size)
            start = part.stop
        return as_averages(coarse_BCHW, images_BCHW)

    def _there_and_back(self, images_BCHW: Tensor, small_height: int, small_width: int) -> Tensor:
        batch, channels, height, width = images_BCHW.shape
        enlarged = _repeated if self.enlarge == "nearest" else _resized
        # All numbers of a row, or of a column, are one line.
        rows_BHX = images_BCHW.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
        columns_BWX = _turned(_resized(rows_BHX, small_height)).view(batch, width, -1)
        columns_BWX = enlarged(_resized(columns_BWX, small_width), width)
        rows_BHX = enlarged(_turned(columns_BWX.view(batch, width * channels, -1)), height)
        return rows_BHX.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _turned(lines_BSX: Tensor) -> Tensor:
    """Turn each matrix: PyTorch does so in blocks that stay in the cache, but not for a batch."""
    batch, side, numbers = lines_BSX.shape
    turned_BXS = lines_BSX.new_empty(batch, numbers, side)
    for turned_XS, lines_SX in zip(turned_BXS, lines_BSX, strict=True):
        turned_XS.copy_(lines_SX.t())
    return turned_BXS


def _resized(lines_BSX: Tensor, side: int) -> Tensor:
    """Resize the second axis, whose lines lie along the third, by the weights of `_triangles`."""
    batch, old_side, numbers = lines_BSX.shape
    places_ST, weights_ST = _triangles(old_side, side)
    places_BST = places_ST + old_side * torch.arange(batch)[:, None, None]
    lines_RX = embedding_bag(  # R: the lines of all images
        places_BST.flatten(0, 1).to(lines_BSX.device),
        lines_BSX.reshape(batch * old_side, numbers),
        per_sample_weights=weights_ST.repeat(batch, 1).to(lines_BSX),
        mode="sum",
    )
    return lines_RX.view(batch, side, numbers)


def _repeated(lines_BSX: Tensor, side: int) -> Tensor:
    """Enlarge the second axis by repeating each line, the nearest to its centre."""
    old_side = lines_BSX.shape[1]
    places_S = (2 * torch.arange(side) + 1) * old_side // (2 * side)
    return lines_BSX.index_select(1, places_S.to(lines_BSX.device))


@lru_cache(maxsize=1024)
def _triangles(old_side: int, side: int) -> tuple[Tensor, Tensor]:
    """Which of `old_side` lines each of `side` new ones is made of, and by which weights.

    Both (side, T), where T lines are those under a triangle that falls from the centre of the new
    line to zero at the distance of one line, new or old, whichever is larger. Weights sum to one.
    """
    size = old_side / side
    reach = max(1.0, size)
    centres_S1 = ((torch.arange(side, dtype=torch.float64) + 0.5) * size)[:, None]
    places_ST = (centres_S1 - reach - 0.5).ceil() + torch.arange(ceil(2 * reach))
    weights_ST = (1 - (places_ST + 0.5 - centres_S1).abs() / reach).clamp_min(0)
    weights_ST = weights_ST * ((places_ST >= 0) & (places_ST < old_side))
    weights_ST = weights_ST / weights_ST.sum(1, keepdim=True)
    return places_ST.clamp(0, old_side - 1).long(), weights_ST
