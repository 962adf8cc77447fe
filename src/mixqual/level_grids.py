"""From the [distortions] tables of a study to distortions and the levels of their test grids."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mixqual.config import DistortionConfig, PartConfig
from mixqual.distortions import (
    Composition,
    Distortion,
    Part,
    distortion,
    gray_options,
    is_custom,
)
from mixqual.errors import DistortionError, StudyError
from mixqual.results.provenance import Grid

Settings = TypeVar("Settings", DistortionConfig, PartConfig)

# The crop that levels in pixels are stated for; a study at another size scales them.
REFERENCE_SIZE = 224


def checked_distortion(name: str, settings: DistortionConfig, size: int) -> Distortion:
    """The distortion of a study's table, for images of `size` pixels.

    Raises `StudyError` if it is unknown, or cannot have these options or levels.
    """
    where = f"distortions.{name}"
    if not settings.parts:
        kind = _find(where, settings.kind or name, settings)
    else:
        kind = Composition([_part(where, part, size) for part in settings.parts])
    _check_strongest(where, kind, settings)
    return kind


def named_code(distortions: Mapping[str, DistortionConfig]) -> list[str]:
    """The Python code that the tables name, as "module:attribute", which using them imports."""
    kinds = [
        kind
        for name, settings in distortions.items()
        for kind in [part.kind for part in settings.parts] or [settings.kind or name]
    ]
    return [kind for kind in dict.fromkeys(kinds) if is_custom(kind)]


def with_gray_noise(distortions: Mapping[str, DistortionConfig]) -> dict[str, DistortionConfig]:
    """The tables of distortions with `gray` set wherever they have that option and do not say.

    Raises `StudyError` for distortions and options that are unknown.
    """
    tables = {}
    for name, settings in distortions.items():
        where = f"distortions.{name}"
        if settings.parts:
            parts = tuple(_gray(f"{where}.parts", part.kind, part) for part in settings.parts)
            tables[name] = settings.model_copy(update={"parts": parts})
        else:
            tables[name] = _gray(where, settings.kind or name, settings)
    return tables


def level_grid(kind: Distortion, settings: DistortionConfig, size: int) -> tuple[float, ...]:
    """Evenly spaced levels from none to the strongest; pixels are scaled from a 224-pixel crop."""
    clean, strongest = kind.clean_level, _at_size(kind, settings, size)
    steps = range(settings.steps + 1)
    return tuple(round(clean + (strongest - clean) * step / settings.steps, 6) for step in steps)


def identity(settings: DistortionConfig, kind: Distortion) -> dict[str, Any]:
    """What makes a distortion of a study this one, beside the name of its table and its levels."""
    return {**settings.options, **_beyond_options(settings, kind)}


def grid_facts(
    name: str, settings: DistortionConfig, kind: Distortion, levels: Sequence[float]
) -> dict[str, Any]:
    """What results say of a distortion and its grid."""
    return {
        "quantity": kind.quantity,
        "unit": kind.unit,
        "levels": list(levels),
        "max_at_224": settings.strongest,
        "kind": name,
        "options": settings.options,
        **_beyond_options(settings, kind),
    }


def distortion_of(told: Grid, size: int) -> Distortion:
    """The distortion that results tell of, by `grid_facts`, for images of `size` pixels.

    Raises `StudyError` if it is unknown here.
    """
    if told.parts:
        parts = [PartConfig(**part.model_dump()) for part in told.parts]
        return Composition([_part("distortions", part, size) for part in parts])
    settings = DistortionConfig(max=told.max_at_224, options=told.options)
    return _find("distortions", told.kind, settings)


def _beyond_options(settings: DistortionConfig, kind: Distortion) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if settings.kind:
        facts["kind"] = settings.kind
    if settings.parts:
        facts["parts"] = [part.model_dump() for part in settings.parts]
    if kind.fingerprint:
        facts["code"] = kind.fingerprint
    return facts


def scale(kind: Distortion, size: int) -> float:
    """By how much a level that is meant for 224 pixels is multiplied for images of `size`."""
    return size / REFERENCE_SIZE if kind.scales_with_size else 1


def _gray(where: str, kind: str, settings: Settings) -> Settings:
    try:
        return settings.model_copy(update={"options": gray_options(kind, settings.options)})
    except DistortionError as error:
        raise StudyError(f"{where}: {error}") from None


def _find(where: str, kind: str, settings: DistortionConfig | PartConfig) -> Distortion:
    try:
        return distortion(kind, **settings.options)
    except DistortionError as error:
        raise StudyError(f"{where}: {error}") from None


def _part(where: str, settings: PartConfig, size: int) -> Part:
    kind = _find(f"{where}.parts", settings.kind, settings)
    _check_strongest(f"{where}.parts ({settings.kind})", kind, settings)
    return Part(kind, _at_size(kind, settings, size))


def _at_size(kind: Distortion, settings: DistortionConfig | PartConfig, size: int) -> float:
    return settings.strongest * scale(kind, size)


def _check_strongest(where: str, kind: Distortion, settings: DistortionConfig | PartConfig) -> None:
    falls = kind.worst_level < kind.clean_level
    field, other = ("min", "max") if falls else ("max", "min")
    if (settings.min is not None) != falls:
        raise StudyError(
            f"{where}.{other}: the level of {kind.name} {'falls' if falls else 'grows'} from "
            f"{kind.clean_level:g} {kind.unit}, which is none; give its strongest, as "
            f"{where}.{field}"
        )
    low, high = kind.bounds
    if not low <= settings.strongest <= high or settings.strongest == kind.clean_level:
        why = "does nothing" if settings.strongest == kind.clean_level else "is out of range"
        raise StudyError(
            f"{where}.{field} = {settings.strongest:g} {why}: levels of {kind.name} go from "
            f"{kind.clean_level:g} (none) to {kind.worst_level:g} {kind.unit}"
        )
