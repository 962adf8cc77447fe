"""From the name of a distortion to the distortion: mixqual's own, or a user's."""

from typing import Any

from mixqual.distortions.base import Distortion, registered_distortion
from mixqual.distortions.custom import custom_distortion


def distortion(name: str, /, **options: Any) -> Distortion:
    """Return the distortion of that name, or the user's own as "module:function".

    Options are those of the distortion. Raises `DistortionError` for an unknown name or option.
    """
    find = custom_distortion if ":" in name else registered_distortion
    return find(name, **options)
