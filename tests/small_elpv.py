"""Small real photographs for tests: solar cells of the demo set, as files or decoded."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mixqual.config import DataConfig
from mixqual.data import DecodedImages, ImageSet, index_images
from mixqual.data.elpv import CLASSES
from mixqual.data.index import ImageIndex

STUDY = """
name = "tiny"

[data]
source = "folder"
path = "{folder}"
size = 32

[split]
train = 10
val = 4
test = 6

[backbone]
name = "timm/test_efficientnet"
weights = "random"

[distortions.gaussian_noise]
max = 100.0
steps = 2

[distortions.gaussian_blur]
max = 10.0
steps = 2

[experts.clean]

[experts.noise]
distort = {{ gaussian_noise = 0.5 }}

[experts.blur]
distort = {{ gaussian_blur = 0.5 }}

[baselines.all]
distort = {{ gaussian_noise = 0.25, gaussian_blur = 0.25 }}

[baselines.all_long]
continues = "all"
patience = 2

[training]
lr = 0.01
lr_new = 0.03
batch_size = 8
patience = 1
max_epochs = 2

[gate]
batch_size = 8
patience = 1
max_epochs = 2

[evaluation]
batch_size = 16
noise_draws = 2
bootstrap = 100

[runtime]
device = "cpu"
threads = 1
backend = "eager"
"""
"""A study that has everything but trees, on 80 cells of 32 pixels: about 3 seconds."""

MODERN = (
    'continues = "all"\npatience = 2',
    'distort = ["gaussian_noise", "gaussian_blur"]\n'
    'training = { recipe = "modern", batch_size = 8, max_epochs = 6, '
    "horizontal_flip = true, vertical_flip = true }",
)
"""What to replace in it, and by what, so that one network is trained by the modern recipe."""

TREES = """
[[sharing]]
until = "blocks.2"

[[sharing]]
from = "blocks.2"

[[sharing]]
until = "blocks.1"
from = "conv_head"
weights = "resolve"
control = false

[[sharing]]
until = "blocks.2"
weights = "resolve"
"""
"""Trees of every kind for that study; the first and the last have the same branches."""


@cache
def _index() -> ImageIndex:
    return index_images(DataConfig(source="elpv"))


@cache
def cell(label: int, number: int, side: int) -> NDArray[np.uint8]:
    """The pixels of one cell of a class, `side` x `side`, gray."""
    items = [item for item in _index().items if item.label == label]
    with Image.open(items[number].path) as image:
        return np.array(image.convert("L").resize((side, side), Image.Resampling.BILINEAR))


def write_cells(root: Path, per_class: int, side: int = 40) -> Path:
    """Write an image folder with the first cells of each class, as PNG files."""
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            Image.fromarray(cell(label, number, side)).save(root / name / f"{number:03d}.png")
    return root


def cell_set(per_class: int, side: int = 32, first: int = 0) -> ImageSet:
    """`per_class` cells of each class, from number `first` on."""
    chosen = [(label, first + n) for n in range(per_class) for label in range(len(CLASSES))]
    images = DecodedImages(
        pixels_NHWC=np.stack([cell(label, n, side) for label, n in chosen])[..., None],
        labels_N=np.array([label for label, _ in chosen]),
        ids=tuple(f"{label}/{n}" for label, n in chosen),
        splits=(None,) * len(chosen),
        classes=CLASSES,
        left_out=(),
        credit="",
    )
    return ImageSet(images, np.arange(len(chosen)))


def write_study(path: Path, folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the tiny study for an image folder, with some of its text changed."""
    text = STUDY.format(folder=folder)
    for old, new in changes:
        assert old in text, f"the tiny study has no {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def with_trees(trees: str = TREES) -> tuple[str, str]:
    """The change that gives the tiny study trees."""
    return "[evaluation]", f"{trees}\n[evaluation]"
