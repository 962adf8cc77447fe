"""Which model a run recommends to ship, and why, in a sentence."""

from collections.abc import Mapping
from typing import Any

from mixqual.results.names import CONDITIONAL
from mixqual.results.wording import model_label, signed, signed_interval

_ALIKE = 1.05
"""Costs whose ratio is below it are the same in words."""


def shipping_reason(found: Mapping[str, Any]) -> str:
    """Which model to ship, and why, from the `recommendation` of results without its `reason`."""
    own = shipped(found)
    against = found.get("against")
    if not against:
        return f"Ship {shipped_label(own)}: no other model can be exported."
    low, high = against.get("ci95_trainings") or against["ci95"]
    delta = f"average AUC {signed(against['delta'])} {signed_interval((low, high))}"
    if against["dearer"] == own:
        costs = _costs(against, f" as {shipped_label(against['cheaper'])}")
        if low > 0:
            return f"Ship {shipped_label(own)}: it {costs} and is better ({delta})."
        doubt = "is worse" if high < 0 else "is not shown to be"
        return (
            f"Ship {shipped_label(own)}: it {costs} and is better on the validation images, by "
            f"which is chosen, but {doubt} on the test images ({delta})."
        )
    rival, costs = shipped_label(against["dearer"]), _costs(against, "")
    if low > 0:
        return (
            f"Ship {shipped_label(own)}: {rival} {costs} and is not shown to be better on the "
            f"validation images, by which is chosen, though it is on the test images ({delta})."
        )
    verdict = "is worse" if high < 0 else "is not shown to be better"
    return f"Ship {shipped_label(own)}: {rival} {costs} and {verdict} ({delta})."


def shipped(found: Mapping[str, Any]) -> str:
    """The recommended model, or `CONDITIONAL`."""
    return CONDITIONAL if found["mode"] == CONDITIONAL else str(found["ship"])


def shipped_label(model: str) -> str:
    """What a model that can be recommended, or `CONDITIONAL`, is called."""
    return "M_mix in conditional mode" if model == CONDITIONAL else model_label(model)


def _costs(against: Mapping[str, Any], rival: str) -> str:
    macs, params = against["macs_ratio"], against["params_ratio"]
    if macs >= _ALIKE:
        return f"costs {_times(macs)} times as much{rival}"
    if params >= _ALIKE:
        return f"costs as much{rival}, with {_times(params)} times the parameters,"
    return f"costs as much{rival}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
