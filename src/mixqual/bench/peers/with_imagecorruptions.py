"""imagecorruptions, the usual package of ImageNet-C's corruptions; the level is the severity.

Three of its nineteen fail with current libraries: gaussian_blur, glass_blur (an argument that
scikit-image no longer has) and fog (a type that NumPy no longer has).
"""

import importlib.resources
import sys
import types
import warnings
from functools import partial

import numpy as np
from PIL import Image

from mixqual.bench.peers.registry import Pixels, image
from mixqual.imagenet_c import CORRUPTIONS

_BROKEN = {"fog", "gaussian_blur", "glass_blur"}


def _load() -> types.ModuleType:
    # It asks setuptools, which no longer has it, for the folder of its photographs of frost.
    stand_in = types.ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(  # type: ignore[attr-defined]
        importlib.resources.files(package.partition(".")[0]) / name
    )
    present = sys.modules.setdefault("pkg_resources", stand_in)
    try:
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module("imagecorruptions.corruptions")
    finally:
        if present is stand_in:
            del sys.modules["pkg_resources"]


_CORRUPTIONS = _load()


def _corrupted(name: str, pixels: Pixels, severity: float) -> Pixels:
    with warnings.catch_warnings(action="ignore"):  # some of its pixels are no numbers by chance
        corrupted = getattr(_CORRUPTIONS, name)(Image.fromarray(pixels), int(severity))
        return np.asarray(corrupted).astype(np.uint8)


for _name in sorted(set(CORRUPTIONS) - _BROKEN):
    image(f"imagenet_c:{_name}", "imagecorruptions")(partial(_corrupted, _name))
