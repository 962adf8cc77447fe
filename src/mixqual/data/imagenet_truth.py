"""The classes of ImageNet's validation images, from the files that say them."""

import csv
import io
from pathlib import Path

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from mixqual.data.archives import Archive
from mixqual.errors import DataError

_KAGGLE = "LOC_val_solution.csv"
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_META = "meta.mat"
_KIT = ("ILSVRC2012_devkit_t12/data", "devkit/data", ".")
_KIT_ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"
_IMAGE = "ILSVRC2012_val_{:08d}"


def read_truth(root: Path, images: Path) -> dict[str, str]:
    """Return the WordNet id of each validation image, by its name without ".JPEG".

    Read from LOC_val_solution.csv in `root`, or from the development kit's two files, in `root`,
    its ILSVRC2012_devkit_t12/data or ILSVRC2012_devkit_t12.tar.gz. Raises `DataError` if neither is
    there, or one is damaged.
    """
    table = root / _KAGGLE
    if table.is_file():
        return _read_kaggle(table)
    for place in _KIT:
        if (root / place / _TRUTH).is_file():
            meta = root / place / _META
            if not meta.is_file():
                raise DataError(f"{meta}: no such file; put it beside {_TRUTH}")
            return _read_kit(root / place, _bytes(root / place / _TRUTH), _bytes(meta))
    if (root / _KIT_ARCHIVE).is_file():
        return _read_kit(root / _KIT_ARCHIVE, *_from_archive(root / _KIT_ARCHIVE))
    raise DataError(
        f"{images} holds images, but no class folders, and no file says their classes; put "
        f"{_KAGGLE} (Kaggle) or {_KIT_ARCHIVE} (the development kit, image-net.org) "
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


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from None


def _from_archive(path: Path) -> tuple[bytes, bytes]:
    """The development kit's ground truth and meta.mat."""
    archive = Archive(path)
    members = {Path(member.name).name: member for member in archive.members()}
    if lacking := [name for name in (_TRUTH, _META) if name not in members]:
        raise DataError(f"{path}: holds no {' and no '.join(lacking)}; fetch it again")
    return archive.read(members[_TRUTH]), archive.read(members[_META])


def _read_kit(place: Path, truth: bytes, meta: bytes) -> dict[str, str]:
    """Read a line for each image with the number of its class, and the classes of the numbers."""
    try:
        # SciPy takes an open file as well, whatever its types say.
        synsets = loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]  # type: ignore[arg-type]
        names = {
            int(number): str(name)
            for number, name in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError, MatReadError) as error:
        raise DataError(f"{place / _META}: cannot be read ({error}); fetch it again") from None
    found = {}
    try:
        lines = truth.decode("ascii").split()
    except UnicodeDecodeError as error:
        raise DataError(f"{place / _TRUTH}: cannot be read ({error}); fetch it again") from None
    for line, text in enumerate(lines, start=1):
        if not text.isdecimal() or int(text) not in names:
            raise DataError(
                f"{place / _TRUTH}, line {line}: {text!r} is not the number of a class; fetch it "
                "again"
            )
        found[_IMAGE.format(line)] = names[int(text)]
    return found
