"""How good models are: areas, levels up to which accuracy is kept, metrics, differences."""

from typing import Literal, final

from pydantic import Field

from mixqual.config.table import Table
from mixqual.results.table import ByLevel, Count, Interval, Share


@final
class Area(Table):
    """The area under an accuracy curve, normalised to 0...1: a mean over levels."""

    auc: Share
    """The mean over trainings."""
    auc_without_clean: Share
    ci95: Interval
    """Over the test images."""
    ci95_trainings: Interval | None = None
    """Over trainings and test images; None of a single training, and in old results."""
    seeds: tuple[Share, ...]
    """The area of each training."""


Place = float | Literal["beyond", "never"]
"""A level in the distortion's unit, or where none can stand: see `names.BEYOND`."""


@final
class Kept(Table):
    """The level up to which a model keeps enough of its accuracy."""

    level: Place
    ci95: tuple[Place, Place]
    seeds: tuple[Place, ...]
    """The level of each training."""


@final
class Metrics(Table):
    """What else is measured in a cell; means over trainings."""

    class_mean_accuracy: Share
    nll: float
    ece: Share


@final
class MetricInfo(Table):
    """What a reader has to know of a metric to read its numbers."""

    name: str
    formula: str
    better: Literal["higher", "lower"]
    range: str
    source: str


@final
class Estimate(Table):
    """A corruption error as a percentage of the baseline's; None where that has no meaning."""

    value: float | None
    ci95: Interval | None


@final
class CorruptionErrors(Table):
    """The errors of one distortion: rates in 0...1, and as percentages of the baseline's."""

    error: Share
    baseline_error: Share
    ce: float | None
    relative_ce: float | None


@final
class CorruptionError(Table):
    """A model's errors under distortion beside those of a baseline."""

    baseline: str
    source: str
    clean_error: Share
    baseline_clean_error: Share
    mce: Estimate
    relative_mce: Estimate
    distortions: dict[str, CorruptionErrors]
    metric_info: dict[str, MetricInfo]


@final
class Comparison(Table):
    """The AUC of `a` minus that of `b`, paired over the same images."""

    a: str
    b: str
    distortion: str
    """Or the name of an average."""
    delta: float
    ci95: Interval
    ci95_trainings: Interval | None = None
    """As of `Area`."""


@final
class UnseenComparison(Table):
    """The same on the distortion that a mixture has not seen."""

    a: str
    b: str
    delta: float
    ci95: Interval


@final
class Unseen(Table):
    """A mixture on a distortion that none of its experts has seen."""

    distortion: str
    experts: tuple[str, ...]
    """Those that were left."""
    auc: dict[str, Area]
    accuracy: dict[str, dict[str, Share]]
    """By model, then by level."""
    comparisons: tuple[UnseenComparison, ...]


@final
class WithoutTwins(Table):
    """The same on the test images without a twin elsewhere; empty if no image has one.

    Its tables are those of `RunResults`, and empty if every image has one.
    """

    twins: Count = 0
    """The number of test images that have a twin."""
    images: Count = 0
    """The number of those that have none, if any has."""
    auc: dict[str, dict[str, Area]] = Field(default_factory=dict)
    accuracy: dict[str, ByLevel] = Field(default_factory=dict)
    accuracy_ci95: dict[str, dict[str, dict[str, Interval]]] = Field(default_factory=dict)


Confusion = tuple[tuple[Count, ...], ...]
"""Counts (true class, answer), summed over trainings."""
