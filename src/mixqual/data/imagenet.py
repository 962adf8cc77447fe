"""ImageNet (ILSVRC2012): a random sample of its classes; its validation images are for testing.

Training images lie in a folder for each class, called by its WordNet id, or still in an archive for
each class, as published: in a folder, or in ILSVRC2012_img_train.tar. So may the validation images
lie in folders, as torchvision has them; or in a single one or in ILSVRC2012_img_val.tar, and a file
says their classes: the LOC_val_solution.csv of Kaggle, or the ground truth and meta.mat of the
development kit. Archives are read as they are.
"""

import os
from pathlib import Path

from mixqual.data.archives import Archive
from mixqual.data.classes import ClassChoice, choose_classes
from mixqual.data.file_trees import ArchiveTree, FolderTree, TarsTree, Tree, list_images, outside
from mixqual.data.files import natural
from mixqual.data.imagenet_truth import read_truth
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError

CREDIT = (
    "ImageNet, for non-commercial research: O. Russakovsky et al., ImageNet Large Scale Visual "
    "Recognition Challenge, IJCV 115 (2015) 211-252, doi:10.1007/s11263-015-0816-y."
)

_CLASSES = 1000
_PLACES = (".", "ILSVRC/Data/CLS-LOC")  # torchvision's and Kaggle's
_ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "val": "ILSVRC2012_img_val.tar"}


def index_imagenet(root: Path, choice: ClassChoice) -> ImageIndex:
    """Index the images of the chosen classes below `root`: train as train, val as test.

    `root` holds train and val or their archives, or Kaggle's ILSVRC/Data/CLS-LOC with them. Only
    the folders of the chosen classes are listed. Raises `DataError` if a folder or file is not
    there, not all 1,000 classes are, or a class has no image.
    """
    train, val = _find(root, "train"), _find(root, "val")
    folders = TarsTree(train) if _holds_tars(train) else FolderTree(train)
    present = folders.folders()
    if len(present) != _CLASSES:
        raise DataError(
            f"{train} holds {len(present)} classes, not {_CLASSES}; {_fetch(root)}; or, for a part "
            'of them, set data.source = "folder"'
        )
    classes = choose_classes(choice, "imagenet", present)
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for label, name in enumerate(classes):
        images, others = list_images(folders, name, label, "train", prefix="train/")
        items += images
        left_out += others
    tested, others = _validation(root, val, classes)
    items += tested
    left_out += others
    items.sort(key=lambda item: natural(item.id))
    return ImageIndex("imagenet", classes, tuple(items), tuple(left_out), CREDIT)


def _find(root: Path, part: str) -> Path:
    """The folder of training or validation images, or their archive."""
    for place in _PLACES:
        if (root / place / part).is_dir():
            return root / place / part
        if (root / place / _ARCHIVES[part]).is_file():
            return root / place / _ARCHIVES[part]
    raise DataError(
        f"data.path = {str(root)!r} holds neither the folder {part} nor {_ARCHIVES[part]}; "
        f"{_fetch(root)}"
    )


def _holds_tars(train: Path) -> bool:
    return train.is_file() or not FolderTree(train).folders()


def _validation(
    root: Path, val: Path, classes: tuple[str, ...]
) -> tuple[list[Item], list[LeftOut]]:
    tree: Tree = FolderTree(val) if val.is_dir() else ArchiveTree(Archive(val))
    folders = tree.folders()
    if not folders:
        return _flat(tree, read_truth(root, val), classes)
    items: list[Item] = []
    left_out = outside(tree.files(), "val/")
    for label, name in enumerate(classes):
        if name not in folders:
            raise DataError(f"{val / name}: no such folder; {_fetch(root)}")
        images, others = list_images(tree, name, label, "test", prefix="val/")
        items += images
        left_out += others
    return items, left_out


def _flat(
    tree: Tree, truth: dict[str, str], classes: tuple[str, ...]
) -> tuple[list[Item], list[LeftOut]]:
    """Return the images of the chosen classes, from one folder and the class of each name."""
    labels = {name: label for label, name in enumerate(classes)}
    items, left_out = [], []
    for file in tree.files():
        stem = Path(file.name).stem
        refused = file.refused or ("" if stem in truth else "its class is not known")
        if refused:
            left_out.append(LeftOut(f"val/{file.name}", refused))
        elif truth[stem] in labels:
            items.append(Item(f"val/{file.name}", file.content, labels[truth[stem]], "test"))
    found = {item.label for item in items}
    for name, label in labels.items():
        if label not in found:
            raise DataError(f"{tree.where}: there is no image of class {name!r}; fetch it again")
    return items, left_out


def _fetch(root: Path) -> str:
    return (
        f"get {' and '.join(_ARCHIVES.values())} (image-net.org) and put them into {root} as "
        "they are, or as train/WORDNET_ID/IMAGE.JPEG and val/WORDNET_ID/IMAGE.JPEG, or as Kaggle "
        f"has them ({os.path.join(_PLACES[1], 'train')})"
    )
