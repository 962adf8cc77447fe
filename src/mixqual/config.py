"""The tables of a study file: frozen, validated models.

Every field says its meaning, unit and default. `study_file` makes them of a file.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataConfig(_Table):
    """Where the images are and how they are prepared."""

    source: Literal["elpv", "folder"]
    path: str | None = None
    """The image folder, for source "folder": `class/image`, or `train|val|test/class/image`."""
    size: int = Field(224, ge=16, le=4096)
    """Side of the square crop in pixels: images are resized to round(size * 256 / 224) first."""
    exclude_classes: tuple[str, ...] = ()
    """Classes to leave out, such as Caltech's BACKGROUND_Google."""
    sample_classes: int | None = Field(None, ge=2)
    """Use this many classes, drawn at random with `split.seed`."""
    on_error: Literal["raise", "skip"] = "raise"
    """What to do with an unreadable image: stop, or leave it out, counted and listed."""
    memory_budget_mb: int = Field(2048, ge=0)
    """Decoded images are held in memory up to this size (MiB) and memory-mapped past it."""
    workers: int = Field(0, ge=0)
    """Decoding threads; 0 takes one per core."""

    @model_validator(mode="after")
    def _path_fits_source(self) -> Self:
        if self.source == "folder" and not self.path:
            raise ValueError('source "folder" needs data.path, the folder that holds the classes')
        if self.source != "folder" and self.path:
            raise ValueError(f'data.path is used by source "folder" only, not "{self.source}"')
        return self


Share = float | int
"""A share of each class (a fraction below 1.0) or a count of images per class (an integer)."""


class SplitConfig(_Table):
    """How images are divided, class by class. A split that the source gives is kept as it is."""

    train: Share | None = None
    """Images for training: a fraction of each class, a count per class, or all that is left."""
    val: Share = 0.15
    test: Share | None = None
    """Images for testing: a fraction, a count per class (at most that), or all that is left."""
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _shares_are_possible(self) -> Self:
        shares = [("train", self.train), ("val", self.val), ("test", self.test)]
        for name, share in shares:
            if share is None:
                continue
            if isinstance(share, float) and not 0 < share < 1:
                raise ValueError(
                    f"split.{name} = {share} must lie between 0 and 1, or be a whole number of "
                    "images per class"
                )
            if isinstance(share, int) and share < 1:
                raise ValueError(f"split.{name} = {share} must be at least 1 image per class")
        total = sum(share for _, share in shares if isinstance(share, float))
        if total > 1 + 1e-9:
            raise ValueError(f"split: the fractions add up to {total:g}, more than 1")
        return self


class BackboneConfig(_Table):
    """The network that every expert is fine-tuned from."""

    name: str
    """A torchvision or timm model name; "timm/NAME" or "torchvision/NAME" where both have it."""
    weights: str = "default"
    """"default" (the library's own, from its hub), "packaged" (the EfficientNet-Lite0 weights of
    the demo extra), "random", or the path of a .safetensors or .pth file."""


class DistortionConfig(_Table):
    """The levels of one distortion: training draws from U(0, max), testing uses the grid."""

    max: float = Field(gt=0)
    """The highest level, in the distortion's unit at a 224-pixel crop."""
    steps: int = Field(10, ge=1)
    """Non-zero levels of the test grid, evenly spaced up to max; the clean level comes besides."""
    options: dict[str, bool | float | int | str] = {}
    """Settings of the distortion itself, such as `clip = true` for gaussian_noise."""


Fractions = dict[str, float]


def _check_fractions(where: str, fractions: Fractions) -> None:
    for name, fraction in fractions.items():
        if not 0 < fraction <= 1:
            raise ValueError(f"{where}.{name} = {fraction} must lie in (0, 1]")
    if sum(fractions.values()) > 1 + 1e-9:
        raise ValueError(f"{where}: the fractions add up to {sum(fractions.values()):g}, over 1")


class ExpertConfig(_Table):
    """One expert of the mixture. The one without distortions is trained first and starts all."""

    distort: Fractions = {}
    """Fraction of each mini-batch that gets each distortion; the rest stays clean."""


class BaselineConfig(_Table):
    """A single network to compare the mixture with."""

    distort: Fractions = {}
    continues: str | None = None
    """Instead of `distort`: go on training that baseline, up to as many steps as all experts
    together, and keep its best weights. The fair comparison in compute."""
    patience: int | None = Field(None, ge=1)
    """Its own patience, where it differs from `training.patience`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.distort) == bool(self.continues):
            raise ValueError("a baseline needs either `distort` or `continues`")
        return self


class TrainingConfig(_Table):
    """Fine-tuning by stochastic gradient descent with momentum (paper, Section 2)."""

    lr: float = Field(0.001, gt=0)
    lr_new: float = Field(0.01, gt=0)
    """Learning rate of the new last layer."""
    momentum: float = Field(0.9, ge=0, lt=1)
    batch_size: int = Field(32, ge=1)
    """Images per step, over all processes together."""
    patience: int = Field(5, ge=1)
    """Epochs without a lower validation loss before training stops."""
    max_epochs: int = Field(50, ge=1)


class GateConfig(TrainingConfig):
    """The gating network (paper, Table 1 and Eq. 5)."""

    lr: float = Field(0.01, gt=0)
    penalty: float = Field(0.01, ge=0)
    """Lambda of Eq. 5."""
    distort: Fractions | None = Field(None, min_length=1)
    """Fraction of each mini-batch per distortion; by default half, shared equally."""


class SharingConfig(_Table):
    """Mixtures whose experts share stages (paper, Section 4): one for each `until` and `from`.

    A TreeNet has `until` only, an Inverted-TreeNet `from` only; `mixqual cost` lists the stages.
    """

    until: str | tuple[str, ...] = ()
    """The experts share all stages before this one."""
    from_: str | tuple[str, ...] = Field((), alias="from")
    """The experts share this stage and all after it."""
    weights: Literal["reuse", "resolve"] = "reuse"
    """Mix with the weights and the gate of the independent experts, or with their own: Eq. 4 solved
    anew for what the branches give, and a gate trained on that."""
    control: bool = True
    """Also train the first baseline with the same stages frozen: what freezing alone does."""
    training: TrainingConfig | None = None
    """How branches are trained, instead of [training]: what it leaves out has the paper's value."""

    @model_validator(mode="after")
    def _shares_something(self) -> Self:
        given = (self.until, self.from_)
        names = [name for each in given for name in ((each,) if isinstance(each, str) else each)]
        if not names or "" in names:
            raise ValueError("name the stage that sharing lasts `until`, or starts `from`, or both")
        return self


class EvaluationConfig(_Table):
    """The sweep over distortions and levels, and the statistics made from it."""

    batch_size: int = Field(64, ge=1)
    noise_draws: int = Field(4, ge=1)
    """Draws of each random distortion per validation image, for the optimal weights."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples of the test images for the confidence intervals."""


class RuntimeConfig(_Table):
    """How to use the machine. Part of the provenance, not of what is computed."""

    device: str = "auto"
    """"auto", "cpu", "cuda" or "cuda:N"."""
    threads: int = Field(0, ge=0)
    """Threads of the CPU kernels; 0 takes one per core, shared by the processes of a machine."""
    tune_allocator: bool = True
    """Keep freed memory in the process (glibc): page faults cost as much as the arithmetic."""


class StudyConfig(_Table):
    """A whole study."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """One complete training per seed, on the same split."""
    data: DataConfig
    split: SplitConfig = SplitConfig()
    backbone: BackboneConfig
    distortions: dict[str, DistortionConfig] = Field(min_length=1)
    experts: dict[str, ExpertConfig] = Field(min_length=2)
    baselines: dict[str, BaselineConfig] = {}
    training: TrainingConfig = TrainingConfig()
    gate: GateConfig = GateConfig()
    sharing: tuple[SharingConfig, ...] = ()
    """One table, or several as [[sharing]]."""
    evaluation: EvaluationConfig = EvaluationConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @model_validator(mode="after")
    def _sharing_has_a_start(self) -> Self:
        if self.sharing and all(expert.distort for expert in self.experts.values()):
            raise ValueError(
                "sharing needs an expert without distortions: its stages are the shared ones"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(
                f"seeds must be different whole numbers of at least 0, not {list(self.seeds)}"
            )
        mixes = {f"experts.{name}.distort": e.distort for name, e in self.experts.items()}
        mixes |= {f"baselines.{name}.distort": b.distort for name, b in self.baselines.items()}
        mixes["gate.distort"] = self.gate.distort or {}
        for where, fractions in mixes.items():
            _check_fractions(where, fractions)
            for name in fractions.keys() - self.distortions.keys():
                raise ValueError(f"{where} names {name!r}, which has no [distortions.{name}] table")
        clean = [name for name, expert in self.experts.items() if not expert.distort]
        if len(clean) > 1:
            raise ValueError(f"experts: only one may be without distortions, not {clean}")
        reserved = {"avg", "max", "hardmix", "mix", "mix_true", "best_expert", "gate"}
        for name in (self.experts.keys() | self.baselines.keys()) & reserved:
            raise ValueError(f"{name!r} is the name of an ensemble; give the network another name")
        for name in self.experts.keys() & self.baselines.keys():
            raise ValueError(f"{name!r} is an expert and a baseline; give one another name")
        for name, baseline in self.baselines.items():
            first = baseline.continues
            if first and (first not in self.baselines or self.baselines[first].continues):
                raise ValueError(
                    f"baselines.{name}.continues names {first!r}, which is no baseline "
                    "with a `distort` of its own"
                )
        return self
