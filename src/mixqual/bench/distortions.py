"""Every distortion on a batch with a level for each image, against other libraries' versions.

Where another library has the same work, levels are uniform from none to a strong one. Where only
imagecorruptions has it, or something alike, ImageNet-C's severities 1 to 5 are mixed.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mixqual.bench.peers import peers
from mixqual.bench.pictures import fractal_pictures
from mixqual.bench.timing import Ratio, compare
from mixqual.distortions import Distortion, distortion
from mixqual.evaluation.severities import Severities
from mixqual.imagenet_c import CORRUPTIONS, SEVERITIES, at_size

_BATCH, _SIDE = 32, 224
_CORRUPTED = 5  # images, as imagecorruptions needs up to half a second for one
_STRONGEST = {
    "brightness": 120.0,
    "contrast": 0.05,
    "defocus_blur": 10.0,
    "desaturation": 0.0,
    "downsampling": 8.0,
    "elastic": 8.0,
    "exposure": 2.5,
    "gaussian_blur": 10.0,
    "gaussian_noise": 100.0,
    "impulse_noise": 0.4,
    "jpeg": 5.0,
    "low_light": 6.0,
    "motion_blur": 30.0,
    "oversaturation": 10.0,
    "shot_noise": 100.0,
    "speckle_noise": 0.6,
    "zoom_blur": 0.3,
}


def measure() -> list[Ratio]:
    """Compare on 3x224x224, on one thread, as the peers run on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_against_libraries(), *_against_a_draw(), *_against_imagecorruptions()]
    finally:
        torch.set_num_threads(threads)


def _against_libraries() -> list[Ratio]:
    photographs_BCHW = fractal_pictures(_BATCH, _SIDE)
    shares_B = 1 - torch.rand(_BATCH, generator=_generator(), dtype=torch.float64)
    rows = []
    for name, strongest in _STRONGEST.items():
        kind = distortion(name)
        images_BCHW = photographs_BCHW.byte() if name == "jpeg" else photographs_BCHW
        levels_B = kind.clean_level + shares_B * (strongest - kind.clean_level)
        levels = f"levels {kind.clean_level:g} to {strongest:g}"
        rows += _rows(name, kind, images_BCHW, levels_B, levels, peers(name, images_BCHW, levels_B))
    return rows


def _against_a_draw() -> list[Ratio]:
    images_BCHW = fractal_pictures(_BATCH, _SIDE)
    levels_B = torch.linspace(1, 100, _BATCH, dtype=torch.float64)
    kind = distortion("gaussian_noise")
    draw = ("floor: one normal draw a value", lambda: torch.randn(images_BCHW.shape))
    return _rows(kind.name, kind, images_BCHW, levels_B, "levels 1 to 100", [draw])


def _against_imagecorruptions() -> list[Ratio]:
    images_BCHW = fractal_pictures(_CORRUPTED, _SIDE).byte()
    severities_B = torch.tensor(SEVERITIES[:_CORRUPTED], dtype=torch.float64)
    rows = []
    for name in CORRUPTIONS:
        kind = Severities(name, [at_size(name, severity, _SIDE) for severity in SEVERITIES])
        others = peers(f"imagenet_c:{name}", images_BCHW, severities_B)
        rows += _rows(f"ImageNet-C's {name}", kind, images_BCHW, severities_B, "severities", others)
    return rows


def _rows(
    what: str,
    kind: Distortion,
    images_BCHW: Tensor,
    levels_B: Tensor,
    levels: str,
    others: list[tuple[str, Callable[[], object]]],
) -> list[Ratio]:
    settings = f"batch {len(images_BCHW)}, 3x{_SIDE}x{_SIDE}, {images_BCHW.dtype}, one thread"

    def distort() -> Tensor:
        return kind(images_BCHW, levels_B, seed=1)

    return [
        compare(what, distort, library, other, settings=f"{settings}, mixed {levels}")
        for library, other in others
    ]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
