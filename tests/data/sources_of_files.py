"""Makes trees of empty files, laid out as real data sets, to be indexed but not decoded."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mixqual.config import StudyConfig
from mixqual.data import DecodedImages, ImageIndex, index_images, make_splits
from mixqual.study_file import load_study_config

STUDIES = Path(__file__).parents[2] / "studies"


def touch(folder: Path, count: int, pattern: str = "image_{:04}.jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        (folder / pattern.format(number)).touch()


def undecoded(index: ImageIndex) -> DecodedImages:
    return DecodedImages(
        pixels_NHWC=np.zeros((len(index.items), 1, 1, 1), np.uint8),
        labels_N=np.array([item.label for item in index.items], np.int64),
        ids=tuple(item.id for item in index.items),
        splits=tuple(item.split for item in index.items),
        classes=index.classes,
        left_out=index.left_out,
        credit=index.credit,
        groups=tuple(item.group for item in index.items),
    )


def of_study(name: str, root: Path, *overrides: str) -> tuple[StudyConfig, ImageIndex]:
    """A study that ships, on data in a folder, and what it finds there."""
    where = f"data.path={str(root)!r}"
    config = load_study_config(STUDIES / f"{name}.toml", [where, *overrides])
    return config, index_images(config.data, config.split.seed)


def split_counts(config: StudyConfig, index: ImageIndex) -> Mapping[str, Counter[str]]:
    """How many images of each class each split has; no image is in two."""
    images = undecoded(index)
    splits = make_splits(images, config.split)
    used = np.concatenate(list(splits.values()))
    assert len(np.unique(used)) == len(used)
    return {
        split: Counter(index.classes[images.labels_N[at]] for at in positions)
        for split, positions in splits.items()
    }
