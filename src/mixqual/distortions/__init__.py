"""What damages an image, at which level: distortions, their registry, the training schedule."""

import importlib
import pkgutil
import sys
from types import ModuleType

from mixqual.distortions.base import (
    Distortion,
    check_images,
    distortions,
    image_keys,
    register,
)
from mixqual.distortions.composition import Composition, Part
from mixqual.distortions.lookup import distortion, gray_options, is_custom
from mixqual.distortions.schedule import Assignment, Schedule, distort

# Every module of this package may register distortions: a new one is found by being here.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


class _CallableModule(ModuleType):
    """Lets `mixqual.distortions()` list the names, though `mixqual.distortions` is this package."""

    def __call__(self) -> tuple[str, ...]:
        return distortions()


sys.modules[__name__].__class__ = _CallableModule

__all__ = [
    "Assignment",
    "Composition",
    "Distortion",
    "Part",
    "Schedule",
    "check_images",
    "distort",
    "distortion",
    "distortions",
    "gray_options",
    "image_keys",
    "is_custom",
    "register",
]
