"""The same distortions by other libraries, called as their own users would call them.

Each does the same kind of work on the same images at the same levels, in single precision (in
8 bits for JPEG, and for imagecorruptions), on one thread, and ends with one batch.
"""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable

from torch import Tensor

from mixqual.bench.peers.registry import PEERS

_OPTIONAL = {"opencv": "cv2", "kornia": "kornia", "imagecorruptions": "imagecorruptions"}
_DISTRIBUTIONS = {"opencv": "opencv-python-headless"}


def peers(
    name: str, images_BCHW: Tensor, levels_B: Tensor
) -> list[tuple[str, Callable[[], object]]]:
    """Return who has that distortion, with the version, and a call that distorts the images."""

    def bound(of_batch: Callable[[Tensor, Tensor], object]) -> Callable[[], object]:
        return lambda: of_batch(images_BCHW, levels_B)

    return [
        (f"{library} {_version(library)}", bound(of_batch))
        for library, of_batch in PEERS.get(name, [])
    ]


def missing_peers() -> list[str]:
    """The libraries of the bench extra that are not installed."""
    return [library for library, module in _OPTIONAL.items() if not _installed(module)]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version(library: str) -> str:
    return importlib.metadata.version(_DISTRIBUTIONS.get(library, library))


for _library in ("numpy", "torchvision", *sorted(set(_OPTIONAL) - set(missing_peers()))):
    importlib.import_module(f"{__name__}.with_{_library}")
