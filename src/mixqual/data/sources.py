"""From the [data] table of a study to an index of images."""

from dataclasses import replace
from pathlib import Path

from mixqual.config import DataConfig
from mixqual.data.caltech import CALTECH101, CALTECH256, index_caltech
from mixqual.data.classes import ClassChoice
from mixqual.data.elpv import index_elpv
from mixqual.data.folder import index_folder
from mixqual.data.huggingface import index_huggingface
from mixqual.data.imagenet import index_imagenet
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.manifest import index_manifest
from mixqual.data.scene67 import index_scene67

__all__ = ["ImageIndex", "Item", "LeftOut", "index_images"]

_PAPER_SAMPLE = 50  # classes of ImageNet


def index_images(config: DataConfig, seed: int = 0) -> ImageIndex:
    """List the images of a source, without decoding any.

    `seed` draws the classes of `data.sample_classes`, after `data.exclude_classes` are gone. A
    relative `data.path` starts at the current folder. Raises `DataError` if the source is missing,
    wrongly arranged, or lacks the classes asked for.
    """
    choice = ClassChoice(config.exclude_classes, config.sample_classes, seed)
    path = Path(config.path or "").expanduser()
    match config.source:
        case "elpv":
            return index_elpv(choice)
        case "folder":
            return index_folder(path, choice)
        case "manifest":
            return index_manifest(path, choice, config.on_error)
        case "huggingface":
            return index_huggingface(path, choice)
        case "caltech101":
            return index_caltech(path, choice, CALTECH101)
        case "caltech256":
            return index_caltech(path, choice, CALTECH256)
        case "scene67":
            return index_scene67(path, choice, config.on_error)
        case "imagenet50":
            return index_imagenet(path, replace(choice, sample=choice.sample or _PAPER_SAMPLE))
