"""What follows for use: costs, verdicts, conditional inference, what to ship."""

from typing import final

from mixqual.config.table import Table
from mixqual.results.table import Count, Interval, Share


@final
class Cost(Table):
    """What a model costs for one image."""

    params: Count
    macs: Count
    """Multiply-accumulates."""
    latency_ms: float
    """The median of the times, measured on the run's machine."""
    latency_ms_low: float | None = None
    latency_ms_high: float | None = None
    """The range of the middle half of the times; None in old results."""
    experts_run: Count


@final
class StageCost(Table):
    """A stage of the backbone, named by the branch point where it begins, the first by None."""

    name: str | None
    params: Count
    macs: Count


@final
class Calibration(Table):
    """Before and after the temperature."""

    nll: tuple[float, float]
    ece: tuple[Share, Share]


@final
class Verdict(Table):
    """The share of images that get a verdict, and of these the share that is wrong."""

    share: Share
    error: Share | None
    """None if no image gets it."""
    error_ci95: Interval | None


@final
class Verdicts(Table):
    """By confidence: take the answer, doubt it, take another image."""

    usable: Verdict
    doubtful: Verdict
    retake: Verdict


@final
class RiskCoverage(Table):
    """The error of the surest answers against their share, point by point."""

    coverage: tuple[Share, ...]
    risk: tuple[Share, ...]
    ci95: tuple[Interval | None, ...]


@final
class Trust(Table):
    """How far the answers of a model of one training can be trusted."""

    model: str
    seed: int
    temperature: float
    usable: float
    """The lowest confidence of usable answers; above 1 if there are none."""
    retake: float
    """Less sure images are to be taken again."""
    rule: str
    calibration: dict[str, Calibration]
    """By distortion or average, as the next two."""
    verdicts: dict[str, Verdicts]
    risk_coverage: dict[str, RiskCoverage]


@final
class Threshold(Table):
    """M_mix in its conditional mode at one threshold."""

    tau: float
    """Experts of a lower weight are not run."""
    auc: Share
    """The average AUC on test images."""
    val_auc: Share
    experts: float
    """How many are run for an image, a mean."""
    macs: Count


@final
class ChosenThreshold(Table):
    """The threshold that validation images chose, beside M_mix in full."""

    tau: float
    auc: Share
    val_auc: Share
    experts: float
    macs: Count
    ci95: Interval
    delta: float
    """Its average AUC minus that of M_mix in full."""
    delta_ci95: Interval


@final
class Conditional(Table):
    """Conditional inference at every threshold that was tried."""

    curve: tuple[Threshold, ...]
    chosen: ChosenThreshold
    tolerance: float
    """How much validation AUC the chosen one may lose."""


@final
class FrontModel(Table):
    """A model to which no other is preferable."""

    model: str
    exported: bool
    """Whether a file can hold it."""
    macs: Count
    params: Count
    val_auc: Share
    auc: Share
    ci95: Interval
    ci95_trainings: Interval | None = None
    """None of a single training."""


@final
class Against(Table):
    """What is shipped beside the model that it has to be justified against."""

    model: str
    dearer: str
    cheaper: str
    macs_ratio: float
    params_ratio: float
    delta: float
    """The test AUC of the dearer one minus that of the cheaper; `val_delta` on validation."""
    ci95: Interval
    ci95_trainings: Interval | None = None
    """None of a single training."""
    val_delta: float
    val_ci95: Interval


@final
class Recommendation(Table):
    """Which model to ship, in which mode, and why."""

    ship: str
    mode: str
    rule: str
    front: tuple[FrontModel, ...]
    against: Against | None = None
    """None if no other model can be exported."""
    reason: str
