"""From the [data] table of a study to an index of image files."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mixqual.config import DataConfig
from mixqual.data.elpv import index_elpv
from mixqual.data.folder import index_folder
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError

__all__ = ["ImageIndex", "Item", "LeftOut", "index_images"]


def index_images(config: DataConfig, seed: int = 0) -> ImageIndex:
    """List the images of a source, without decoding any.

    `seed` draws the classes of `data.sample_classes`, after `data.exclude_classes` are gone. A
    relative `data.path` starts at the current folder. Raises `DataError` if the source is missing,
    wrongly arranged, or lacks the classes asked for.
    """
    if config.source == "folder":
        index = index_folder(Path(config.path or "").expanduser(), config.exclude_classes)
    else:
        index = _without(index_elpv(), config.exclude_classes)
    if config.sample_classes is not None:
        index = _sample(index, config.sample_classes, seed)
    return index


def _without(index: ImageIndex, exclude: tuple[str, ...]) -> ImageIndex:
    for name in exclude:
        if name not in index.classes:
            raise DataError(
                f"data.exclude_classes: {index.name} has no class {name!r}; "
                f"it has {', '.join(index.classes)}"
            )
    kept = tuple(name for name in index.classes if name not in exclude)
    if len(kept) < 2:
        raise DataError(
            f"data.exclude_classes leaves {len(kept)} of the classes of {index.name}; "
            "keep two at least"
        )
    return _only(index, kept)


def _sample(index: ImageIndex, count: int, seed: int) -> ImageIndex:
    if count > len(index.classes):
        raise DataError(
            f"data.sample_classes = {count} is more than the {len(index.classes)} classes "
            f"of {index.name}"
        )
    drawn = np.random.default_rng(seed).choice(len(index.classes), count, replace=False)
    return _only(index, tuple(index.classes[label] for label in sorted(drawn)))


def _only(index: ImageIndex, classes: tuple[str, ...]) -> ImageIndex:
    """Return the images of some of the classes, with labels counted anew."""
    labels = {index.classes.index(name): label for label, name in enumerate(classes)}
    items = (
        replace(item, label=labels[item.label]) for item in index.items if item.label in labels
    )
    return replace(index, classes=classes, items=tuple(items))
