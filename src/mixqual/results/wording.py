"""Models and differences in words, as results themselves and all that is made of them have them."""

from collections.abc import Sequence

from mixqual.results.names import CEILINGS

_BOUNDS = dict(zip(CEILINGS, ("true weights", "best expert"), strict=True))


def model_label(model: str) -> str:
    """The paper's name of a model in plain text, such as M_clean."""
    return f"ceiling: {_BOUNDS[model]}" if model in _BOUNDS else f"M_{model}"


def signed(value: float) -> str:
    """A difference with three decimals, its sign and a true minus; zero has no sign."""
    text = format(value, "+.3f").replace("-", "−")
    return "0.000" if text[1:] == "0.000" else text


def signed_interval(ends: Sequence[float]) -> str:
    """The ends of an interval of a difference, in brackets."""
    return f"[{signed(ends[0])}, {signed(ends[1])}]"
