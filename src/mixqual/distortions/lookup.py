"""From the name of a distortion to the distortion: mixqual's own, or a user's."""

from collections.abc import Mapping
from typing import Any

from mixqual.distortions.base import Distortion, registered_distortion
from mixqual.distortions.custom import custom_distortion


def is_custom(name: str) -> bool:
    """Whether a name is that of Python code, "module:attribute", which is imported to be used."""
    return ":" in name


def distortion(name: str, /, **options: Any) -> Distortion:
    """Return the distortion of that name, or the user's own as "module:function".

    Options are those of the distortion. Raises `DistortionError` for an unknown name or option.
    """
    find = custom_distortion if is_custom(name) else registered_distortion
    return find(name, **options)


def gray_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a distortion with `gray` set, if it has that one and they do not say.

    Such a distortion does to three equal channels what it does to one, as a sensor without colour
    would. Raises what `distortion` raises.
    """
    open_choice = "gray" not in options and distortion(name, **options).gray is False
    return {**options, "gray": True} if open_choice else dict(options)
