"""The classes of ImageNet's validation images, from the files that say them."""

import csv
from pathlib import Path

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from mixqual.errors import DataError

_KAGGLE = "LOC_val_solution.csv"
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_META = "meta.mat"
_KIT = ("ILSVRC2012_devkit_t12/data", "devkit/data", ".")
_IMAGE = "ILSVRC2012_val_{:08d}"


def read_truth(root: Path, images: Path) -> dict[str, str]:
    """Return the WordNet id of each validation image, by its name without ".JPEG".

    Read from LOC_val_solution.csv in `root`, or from the development kit's two files, in `root` or
    its ILSVRC2012_devkit_t12/data. Raises `DataError` if neither is there, or one is damaged.
    """
    table = root / _KAGGLE
    if table.is_file():
        return _read_kaggle(table)
    for place in _KIT:
        if (root / place / _TRUTH).is_file():
            return _read_kit(root / place / _TRUTH, root / place / _META)
    raise DataError(
        f"{images} holds images, but no class folders, and no file says their classes; put "
        f"{_KAGGLE} (Kaggle) or ILSVRC2012_devkit_t12 (the development kit, image-net.org) "
        f"into {root}"
    )


def _read_kaggle(table: Path) -> dict[str, str]:
    """Read lines of an image's name and its boxes, each of them a WordNet id and four numbers."""
    found = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            for line, cells in enumerate(csv.reader(file), start=1):
                if line == 1 or not cells:
                    continue
                if len(cells) != 2 or not cells[1].split():
                    raise DataError(
                        f"{table}, line {line}: expected an image and a WordNet id, but found "
                        f"{','.join(cells)!r}; fetch it again"
                    )
                found[cells[0]] = cells[1].split()[0]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read ({error}); fetch it again") from None
    return found


def _read_kit(truth: Path, meta: Path) -> dict[str, str]:
    """Read a line for each image with the number of its class, and the classes of the numbers."""
    if not meta.is_file():
        raise DataError(f"{meta}: no such file; put it beside {truth.name}")
    try:
        synsets = loadmat(meta, squeeze_me=True)["synsets"]
        names = {
            int(number): str(name)
            for number, name in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError, MatReadError) as error:
        raise DataError(f"{meta}: cannot be read ({error}); fetch it again") from None
    found = {}
    try:
        lines = truth.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{truth}: cannot be read ({error}); fetch it again") from None
    for line, text in enumerate(lines, start=1):
        if not text.isdecimal() or int(text) not in names:
            raise DataError(
                f"{truth}, line {line}: {text!r} is not the number of a class; fetch it again"
            )
        found[_IMAGE.format(line)] = names[int(text)]
    return found
