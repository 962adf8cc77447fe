"""Checks of the options that distortions take, with the allowed values in the message."""

from mixqual.errors import DistortionError


def check_switch(distortion: str, option: str, value: object) -> None:
    """Raise `DistortionError` unless the option is true or false."""
    if not isinstance(value, bool):
        raise DistortionError(f"{distortion}: {option} is true or false, not {value!r}")


def check_number(distortion: str, option: str, value: object, low: float, high: float) -> None:
    """Raise `DistortionError` unless the option is a number of low...high."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not low <= value <= high  # NaN is outside, too
    ):
        raise DistortionError(
            f"{distortion}: {option} is a number in {low:g}...{high:g}, not {value!r}"
        )
