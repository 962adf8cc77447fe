"""Differences between two models, as the results have them, read in either direction."""

from dataclasses import dataclass
from typing import final

from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE


@final
@dataclass(frozen=True)
class Difference:
    """How much higher the AUC of model `a` is than that of `b`, paired over the test images."""

    a: str
    b: str
    distortion: str
    delta: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    trainings: tuple[float, float] | None = None
    """Ends of that over trainings and images, if there are several trainings."""

    @property
    def verdict(self) -> str:
        """What is shown of `a`: "higher", "lower", or "no difference shown"."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "no difference shown"


def difference(results: Results, a: str, b: str, distortion: str = AVERAGE) -> Difference | None:
    """The AUC of `a` minus that of `b`, or None if the results do not compare them."""
    for row in results["comparisons"]:
        if row["distortion"] != distortion or {row["a"], row["b"]} != {a, b}:
            continue
        low, high = row["ci95"]
        least, most = row.get("ci95_trainings", (None, None))
        if row["a"] == a:
            over = None if least is None else (least, most)
            return Difference(a, b, distortion, row["delta"], low, high, over)
        over = None if least is None else (-most, -least)
        return Difference(a, b, distortion, -row["delta"], -high, -low, over)
    return None
