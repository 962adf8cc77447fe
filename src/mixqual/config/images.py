"""The tables of a study's images: where they are, how they are divided."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mixqual.config.table import MOST_SEED, Table, Text

MOST_CLASSES = 2**17
LONGEST_CLASS = 200
"""How many classes a network can be trained and exported for, and characters of their names."""

_PUBLISHED = ("caltech101", "caltech256", "scene67", "imagenet50")
"""Sources whose images, and mostly splits, are as somebody has published them."""

OnLeak = Literal["raise", "warn"]


def _on_leak(validated: dict[str, Any]) -> OnLeak:
    return "warn" if validated.get("source") in _PUBLISHED else "raise"


GrayscaleNoise = Literal["sensor", "independent"]


class DataConfig(Table):
    """Where the images are and how they are prepared."""

    source: Literal[
        "elpv",
        "folder",
        "manifest",
        "huggingface",
        "caltech101",
        "caltech256",
        "scene67",
        "imagenet50",
    ]
    path: Text | None = None
    """Where the images are, for all sources but "elpv", which is a package. For "folder" the folder
    with `class/image` or `train|val|test/class/image`; for "manifest" a .csv or .parquet table with
    the columns path and label, and if need be split and group; for "huggingface" the folder that
    `save_to_disk` wrote; for the paper's data sets the folder that holds them, as they are
    published."""
    size: int = Field(224, ge=16, le=4096)
    """Side of the square crop in pixels: images are resized to round(size * 256 / 224) first."""
    exclude_classes: tuple[Text, ...] = Field((), max_length=MOST_CLASSES)
    """Classes to leave out. The background classes of the Caltech sets are left out anyhow."""
    sample_classes: int | None = Field(None, ge=2, le=MOST_CLASSES)
    """Use this many classes, drawn at random with `split.seed`; of "imagenet50" 50 by default."""
    on_error: Literal["raise", "skip"] = "raise"
    """What to do with an unreadable image: stop, or leave it out, counted and listed."""
    on_leak: OnLeak = Field(default_factory=_on_leak)
    """What to do if two splits hold the same image or parts of one group, or if the same image is
    in two classes: stop, or go on, counted and listed, with results without such test images too.
    The paper's data sets are known to hold some, and by default are used as they are published."""
    memory_budget_mb: int = Field(2048, ge=0, le=2**30)
    """Decoded images are held in memory up to this size (MiB) and memory-mapped past it."""
    workers: int = Field(0, ge=0, le=1024)
    """Decoding threads; 0 takes one per core."""
    grayscale_noise: GrayscaleNoise = "sensor"
    """What random distortions do to images that all come from files of one channel: the same to
    their three equal channels, as the one "sensor" would have it, or to each of its own, as in
    colour images. One file in colour makes them colour images."""
    fast_jpeg: bool = False
    """Whether to decode large JPEG files at a reduced scale: over twice as fast, but with pixels
    that differ a little (docs/data.md), so that all that follows is made anew."""

    @model_validator(mode="after")
    def _path_fits_source(self) -> Self:
        if self.source != "elpv" and not self.path:
            what = "the table" if self.source == "manifest" else "the folder that holds the images"
            raise ValueError(f'source "{self.source}" needs data.path, {what}')
        if self.source == "elpv" and self.path:
            raise ValueError('data.path is used by sources with files only, not "elpv"')
        return self


_MOST_IMAGES = 10**9

Share = float | int
"""A share of each class (a fraction below 1.0) or a count of images per class (an integer)."""


class SplitConfig(Table):
    """How images are divided, class by class. A split that the source gives is kept as it is."""

    train: Share | None = None
    """Images for training: a fraction of each class, a count per class, or all that is left."""
    val: Share = 0.15
    test: Share | None = None
    """Images for testing: a fraction, a count per class (at most that), or all that is left."""
    seed: int = Field(0, ge=0, le=MOST_SEED)

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
            if isinstance(share, int) and not 1 <= share <= _MOST_IMAGES:
                raise ValueError(
                    f"split.{name} = {share} must be 1 to {_MOST_IMAGES:,} images per class"
                )
        total = sum(share for _, share in shares if isinstance(share, float))
        if total > 1 + 1e-9:
            raise ValueError(f"split: the fractions add up to {total:g}, more than 1")
        return self
