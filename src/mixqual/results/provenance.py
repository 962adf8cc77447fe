"""Where the numbers of a run are from, and what it measured them on."""

from typing import Annotated, Any, final

from pydantic import Field

from mixqual.config.table import Table
from mixqual.results.table import Count


@final
class MadeBy(Table):
    """One maker of artifacts, and how many of each kind it made."""

    version: str | None
    """None if the artifacts do not say what made them; then nothing else is known."""
    commit: str | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    device: str | None = None
    artifacts: dict[str, Count]


@final
class Backends(Table):
    """What networks ran as in the sweep of the test images; empty where that was not noted."""

    experts: tuple[str, ...]
    baselines: tuple[str, ...]
    gate: tuple[str, ...]


@final
class Provenance(Table):
    """Versions, machine, settings and images of a run."""

    version: str
    commit: str | None
    """None where no repository was; "+changes" if files differed from it."""
    libraries: dict[str, str]
    device: str
    date: str
    """When the results were summed up, in UTC."""
    threads: Count
    allocator_tuned: bool
    processes: Count
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """One for each training of everything."""
    config_hash: str
    study_hash: str | None = None
    """The same of the settings without seeds; None in results of before it was noted."""
    images: dict[str, Count]
    """The number of images of "train", "val" and "test"."""
    left_out: Count
    """How many files are not used."""
    size: Count
    """The side of the images in pixels."""
    backbone: str
    weights: str
    gate: str
    """Its kind."""
    credit: str
    classes: tuple[str, ...] = ()
    """Their names, in the order of the networks' outputs."""
    made_by: tuple[MadeBy, ...] = ()
    """The makers of its artifacts; empty in results of before they were noted."""
    backends: Backends | None = None
    """None in results of before it was noted."""


@final
class Recipe(Table):
    """How some networks were trained."""

    networks: tuple[str, ...]
    in_words: str
    settings: dict[str, Any]
    """The fields of the study's table `training`, defaults filled in."""


@final
class LeftOut(Table):
    """A file that is not used, and why."""

    id: str
    reason: str


@final
class Leak(Table):
    """An image, and the first one that it should not be apart from."""

    between: str
    id: str
    place: str
    """The image's split or class."""
    twin: str
    twin_place: str
    what: str


@final
class Part(Table):
    """One distortion of a composition."""

    kind: str
    min: float | None = None
    max: float | None = None
    options: dict[str, Any] = Field(default_factory=dict)


@final
class Grid(Table):
    """A distortion and the levels that it was tested at."""

    quantity: str
    """What its level is, such as σ."""
    unit: str
    levels: tuple[float, ...]
    """In that unit, for images of this run's size, the clean one first."""
    max_at_224: float
    """The strongest level, for images of 224 pixels."""
    kind: str
    """Which distortion it is: the name of its table, unless that says another."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Empty in old results, whatever they were."""
    parts: tuple[Part, ...] = ()
    """Of a composition: what is applied one after the other."""
    code: str | None = None
    """The fingerprint of a distortion that is code of the user's."""

    @property
    def is_gray(self) -> bool:
        """Whether all channels of an image have the same noise."""
        return any(options.get("gray") is True for options in self._options)

    @property
    def _options(self) -> list[dict[str, Any]]:
        return [self.options, *(part.options for part in self.parts)]
