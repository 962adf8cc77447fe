"""mixqual: image classifiers that keep their accuracy when image quality falls.

The public names are those below; each is loaded when it is first used, because torch takes seconds
to import.

Shapes of arrays and tensors are suffixes of their names, one letter an axis: B batch, C channels,
H height, W width, E experts, K classes, N images, V levels or cells, S seeds, R resamples.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixqual import evaluation as evaluation
    from mixqual import fusion as fusion
    from mixqual.deploy import load as load
    from mixqual.deploy.export import export as export
    from mixqual.distort_files import distort_files as distort
    from mixqual.distortions import distortion as distortion
    from mixqual.distortions import distortions as distortions
    from mixqual.errors import MixqualError as MixqualError
    from mixqual.resilience import evaluate as evaluate
    from mixqual.study import Study as Study
    from mixqual.variants import cost as cost

_HOMES = {
    "MixqualError": ("mixqual.errors", "MixqualError"),
    "Study": ("mixqual.study", "Study"),
    "cost": ("mixqual.variants", "cost"),
    "distort": ("mixqual.distort_files", "distort_files"),
    "distortion": ("mixqual.distortions", "distortion"),
    "distortions": ("mixqual.distortions", None),
    "evaluate": ("mixqual.resilience", "evaluate"),
    "evaluation": ("mixqual.evaluation", None),
    "export": ("mixqual.deploy.export", "export"),
    "fusion": ("mixqual.fusion", None),
    "load": ("mixqual.deploy", "load"),
}

__all__ = [
    "MixqualError",
    "Study",
    "cost",
    "distort",
    "distortion",
    "distortions",
    "evaluate",
    "evaluation",
    "export",
    "fusion",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mixqual' has no attribute {name!r}")
    module_name, attribute = _HOMES[name]
    module = importlib.import_module(module_name)
    return module if attribute is None else getattr(module, attribute)


def __dir__() -> list[str]:
    return __all__
