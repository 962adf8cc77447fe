"""ImageNet (ILSVRC2012): a random sample of its classes; its validation images are for testing.

Training images lie in a folder for each class, called by its WordNet id. So may the validation
images, as torchvision has them; or they lie in one folder, and a file says their classes: the
LOC_val_solution.csv of Kaggle, or the ground truth and meta.mat of the development kit.
"""

import os
from pathlib import Path

from mixqual.data.classes import ClassChoice, choose_classes
from mixqual.data.files import files_in, folders_in, list_images, natural, outside, refuse
from mixqual.data.imagenet_truth import read_truth
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError

CREDIT = (
    "ImageNet, for non-commercial research: O. Russakovsky et al., ImageNet Large Scale Visual "
    "Recognition Challenge, IJCV 115 (2015) 211-252, doi:10.1007/s11263-015-0816-y."
)

_CLASSES = 1000
_PLACES = (".", "ILSVRC/Data/CLS-LOC")  # torchvision's and Kaggle's


def index_imagenet(root: Path, choice: ClassChoice) -> ImageIndex:
    """Index the images of the chosen classes below `root`: train as train, val as test.

    `root` holds train and val, or Kaggle's ILSVRC/Data/CLS-LOC with them. Only the folders of the
    chosen classes are listed. Raises `DataError` if a folder or file is not there, not all 1,000
    classes are, or a class has no image.
    """
    base = next((root / place for place in _PLACES if (root / place / "train").is_dir()), None)
    if base is None or not (base / "val").is_dir():
        missing = "folder train" if base is None else "folder val"
        raise DataError(f"data.path = {str(root)!r} holds no {missing}; {_fetch(root)}")
    present = [folder.name for folder in folders_in(base / "train")]
    if len(present) != _CLASSES:
        raise DataError(
            f"{base / 'train'} holds {len(present)} class folders, not {_CLASSES}; "
            f'{_fetch(root)}; or, for a part of them, set data.source = "folder"'
        )
    classes = choose_classes(choice, "imagenet", present)
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for label, name in enumerate(classes):
        images, others = list_images(base, base / "train" / name, label, "train")
        items += images
        left_out += others
    tested, others = _validation(root, base, classes)
    items += tested
    left_out += others
    items.sort(key=lambda item: natural(item.id))
    return ImageIndex("imagenet", classes, tuple(items), tuple(left_out), CREDIT)


def _validation(
    root: Path, base: Path, classes: tuple[str, ...]
) -> tuple[list[Item], list[LeftOut]]:
    folder = base / "val"
    if folders_in(folder):
        items: list[Item] = []
        left_out = [outside(base, file) for file in files_in(folder)]
        for label, name in enumerate(classes):
            if not (folder / name).is_dir():
                raise DataError(f"{folder / name}: no such folder; {_fetch(root)}")
            images, others = list_images(base, folder / name, label, "test")
            items += images
            left_out += others
        return items, left_out
    files = files_in(folder)
    truth = read_truth(root, folder)
    return _flat(base, files, truth, classes)


def _flat(
    base: Path, files: list[Path], truth: dict[str, str], classes: tuple[str, ...]
) -> tuple[list[Item], list[LeftOut]]:
    """Return the images of the chosen classes, from one folder and the class of each name."""
    labels = {name: label for label, name in enumerate(classes)}
    items, left_out = [], []
    for file in files:
        name = file.relative_to(base).as_posix()
        refused = refuse(file) or ("" if file.stem in truth else "its class is not known")
        if refused:
            left_out.append(LeftOut(name, refused))
        elif truth[file.stem] in labels:
            items.append(Item(name, file, labels[truth[file.stem]], "test"))
    found = {item.label for item in items}
    for name, label in labels.items():
        if label not in found:
            raise DataError(f"{base / 'val'}: there is no image of class {name!r}; fetch it again")
    return items, left_out


def _fetch(root: Path) -> str:
    return (
        f"get the images of ILSVRC2012 (image-net.org) and put them into {root} as "
        "train/WORDNET_ID/IMAGE.JPEG and val/WORDNET_ID/IMAGE.JPEG, or as Kaggle has them "
        f"({os.path.join(_PLACES[1], 'train')})"
    )
