"""Distortions that a user brings: any function, or a transform of albumentations."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from mixqual.distortions.base import Distortion
from mixqual.distortions.keyed import generators
from mixqual.errors import DistortionError

LEVEL, WHOLE_LEVEL = "level", "whole level"
"""In the options of an albumentations transform: the level, and the level rounded."""

_SEEDS = "seeds_B"


def custom_distortion(name: str, /, **options: Any) -> Distortion:
    """Return the distortion "module:attribute", found from the current folder.

    The attribute is a subclass of `Distortion`, a transform class of albumentations, or a function
    from images_BCHW (float32 in 0...255) and levels_B to images_BCHW, which takes the options as
    keywords, and `seeds_B` (one int64 an image) if it is random. A keyword `gray = False` is the
    option that `Distortion.gray` tells of. Raises `DistortionError` if it
    cannot be imported, is something else, or does not take the options.
    """
    found = _import(name)
    try:
        if isinstance(found, type) and issubclass(found, Distortion):
            kind = found(**options)
            kind.fingerprint = _fingerprint(found)
            return kind
        if isinstance(found, type) and _is_albumentations(found):
            return _Albumentations(name, found, options)
        if callable(found) and not isinstance(found, type):
            return _Function(name, found, options)
    except (TypeError, ValueError) as error:
        raise DistortionError(f"{name}: unusable options {options}: {error}") from None
    raise DistortionError(
        f"{name} is a {type(found).__name__}; name a function, a subclass of mixqual's Distortion, "
        "or a transform class of albumentations"
    )


@final
class _Function(Distortion):
    """A user's function; 0 means none, any level above is the function's to judge."""

    unit = "as the function has it"
    worst_level = float("inf")

    def __init__(
        self, name: str, function: Callable[..., Tensor], options: Mapping[str, Any]
    ) -> None:
        parameters = inspect.signature(function).parameters
        inspect.signature(function).bind(None, None, **options, **dict.fromkeys(_seeds(parameters)))
        self.name = name
        self.random = bool(_seeds(parameters))
        if "gray" in parameters and parameters["gray"].default is False:
            self.gray = bool(options.get("gray", False))
        self.fingerprint = _fingerprint(function)
        self._function, self._options = function, dict(options)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        options = self._options
        if self.random:
            assert keys_B is not None
            seeds = [generator.initial_seed() for generator in generators(seed, keys_B)]
            options = options | {_SEEDS: torch.tensor(np.array(seeds, dtype=np.uint64).view("i8"))}
        result_BCHW = self._function(images_BCHW.clone(), levels_B.clone(), **options)
        if not isinstance(result_BCHW, Tensor) or result_BCHW.shape != images_BCHW.shape:
            found = (
                tuple(result_BCHW.shape)
                if isinstance(result_BCHW, Tensor)
                else type(result_BCHW).__name__
            )
            raise DistortionError(
                f"{self.name} must return images of shape {tuple(images_BCHW.shape)}, not {found}"
            )
        if not bool(torch.isfinite(result_BCHW).all()):
            raise DistortionError(f"{self.name} returned pixels that are NaN or infinite")
        return _like(result_BCHW, images_BCHW)


@final
class _Albumentations(Distortion):
    """A transform class of albumentations, made anew for each level, seeded for each image."""

    unit = "as the transform has it"
    worst_level = float("inf")
    random = True

    def __init__(self, name: str, transform: Any, options: Mapping[str, Any]) -> None:
        if not _mentions_level(options):
            raise DistortionError(
                f'{name}: no option has the value "{LEVEL}" or "{WHOLE_LEVEL}", so that its level '
                f'would change nothing; write such as options = {{ blur_limit = ["{LEVEL}", '
                f'"{LEVEL}"] }}'
            )
        self.name = name
        self.fingerprint = _version_of(transform)
        self._transform, self._options = transform, dict(options)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        gray = images_BCHW.shape[1] == 1
        pixels_BHWC = images_BCHW.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        pixels_BHWC = pixels_BHWC.expand(-1, -1, -1, 3) if gray else pixels_BHWC
        results = []
        for pixels_HWC, level, generator in zip(
            pixels_BHWC.cpu(), levels_B.tolist(), generators(seed, keys_B), strict=True
        ):
            transform = self._at(level)
            transform.set_random_seed(generator.initial_seed() % 2**32)
            result_HWC = transform(image=np.ascontiguousarray(pixels_HWC.numpy()))["image"]
            if result_HWC.shape != pixels_HWC.shape:
                raise DistortionError(
                    f"{self.name} changes the image's shape from {tuple(pixels_HWC.shape)} to "
                    f"{result_HWC.shape}; use a transform that keeps it"
                )
            results.append(torch.from_numpy(np.ascontiguousarray(result_HWC)))
        result_BCHW = torch.stack(results).permute(0, 3, 1, 2)
        return _like(result_BCHW[:, :1] if gray else result_BCHW, images_BCHW)

    def _at(self, level: float) -> Any:
        try:
            return self._transform(**{"p": 1.0} | _with_level(self._options, level))
        except (TypeError, ValueError) as error:
            raise DistortionError(f"{self.name} at level {level:g}: {error}") from None


def _import(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise DistortionError(
            f"distortion {name!r} cannot be imported ({error}); write module:function, where the "
            "module can be found from the current folder"
        ) from None


def _is_albumentations(found: type) -> bool:
    # By name: the library is the user's choice, and is not imported without need.
    return any(base.__module__.startswith("albumentations.") for base in found.__mro__)


def _seeds(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    return [_SEEDS] if _SEEDS in parameters else []


def _fingerprint(function: Callable[..., Any]) -> str:
    """A hash of the source, so that results made with other code are not taken for these.

    That is of its file, and of those modules of the same folder, or below it, that it imports.
    """
    source = inspect.getsourcefile(inspect.unwrap(function))
    if not source:
        return ""
    module = sys.modules.get(inspect.unwrap(function).__module__)
    helpers = _helpers(module, Path(source).resolve().parent) if module else set()
    contents = [path.read_bytes() for path in sorted(helpers - {Path(source).resolve()})]
    digest = hashlib.sha256(Path(source).read_bytes())
    for content in contents:  # none leaves the hash of the one file
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _helpers(module: ModuleType, root: Path) -> set[Path]:
    """The files of a module and of all that it imports from below a folder."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        file = Path(getattr(one, "__file__", None) or "").resolve()
        if one.__name__ in found or file.suffix != ".py" or root not in file.parents:
            continue
        found[one.__name__] = file
        for value in list(vars(one).values()):
            name = value.__name__ if isinstance(value, ModuleType) else _module_of(value)
            if name in sys.modules:
                waiting.append(sys.modules[name])
    return set(found.values())


def _module_of(value: object) -> str:
    """The name of the module that a value was imported from, as far as it says so."""
    name = getattr(value, "__module__", "")
    return name if isinstance(name, str) else ""


def _version_of(transform: Any) -> str:
    package = importlib.import_module(transform.__module__.partition(".")[0])
    return str(getattr(package, "__version__", ""))


def _mentions_level(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions_level(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions_level(each) for each in value)
    return isinstance(value, str) and value in (LEVEL, WHOLE_LEVEL)


def _with_level(value: Any, level: float) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_level(each, level) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_with_level(each, level) for each in value)
    if value == LEVEL:
        return level
    return round(level) if value == WHOLE_LEVEL else value


def _like(result_BCHW: Tensor, images_BCHW: Tensor) -> Tensor:
    """The result with the type, device and memory format of the images."""
    last = images_BCHW.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if last else torch.contiguous_format
    return result_BCHW.to(images_BCHW).contiguous(memory_format=memory_format)
