"""Scene67 (MIT Indoor Scenes): the images of two published lists, which are its given splits."""

from pathlib import Path

from mixqual.data.archives import unpack
from mixqual.data.classes import ClassChoice, choose_classes, keep_classes
from mixqual.data.files import files_in, folders_in, id_of, natural
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.rows import leave_out_missing
from mixqual.errors import DataError

CREDIT = (
    "MIT Indoor Scenes, for research purposes only: A. Quattoni, A. Torralba, Recognizing Indoor "
    "Scenes, CVPR 2009."
)

_CLASSES = 67
_IMAGES = "Images"
_ARCHIVE = "indoorCVPR_09.tar"
_LISTS = {"train": "TrainImages.txt", "test": "TestImages.txt"}


def index_scene67(root: Path, choice: ClassChoice, on_error: str) -> ImageIndex:
    """Index the listed images below `root`, of the chosen classes, with their splits.

    `root` holds TrainImages.txt, TestImages.txt and the folder Images, or its archive, which is
    unpacked beside itself. Images in neither list are left out, and so are listed ones that are
    missing, or they are refused with `on_error` "raise". Raises `DataError` if a file is not there,
    a line of a list is odd or there twice, or a list has not all 67 classes.
    """
    for name in _LISTS.values():
        if not (root / name).is_file():
            raise DataError(f"{root / name}: no such file; {_fetch(root)}")
    images = root / _IMAGES
    if not images.is_dir():
        if not (root / _ARCHIVE).is_file():
            raise DataError(f"{images}: no such folder; {_fetch(root)}")
        images = unpack(root / _ARCHIVE, _IMAGES)
    split_of: dict[str, str] = {}
    for split, name in _LISTS.items():
        _read_list(root / name, split, split_of)
    classes = tuple(sorted({name.partition("/")[0] for name in split_of}))
    items = tuple(
        Item(name, images / name, classes.index(name.partition("/")[0]), split)
        for name, split in sorted(split_of.items(), key=lambda entry: natural(entry[0]))
    )
    chosen = choose_classes(choice, "scene67", classes)
    left_out = tuple(
        LeftOut(id_of(images, file), f"in neither {' nor '.join(_LISTS.values())}")
        for folder in folders_in(images)
        if folder.name in chosen
        for file in files_in(folder)
        if id_of(images, file) not in split_of
    )
    index = keep_classes(ImageIndex("scene67", classes, items, left_out, CREDIT), chosen)
    return leave_out_missing(str(root), index, on_error)


def _read_list(path: Path, split: str, split_of: dict[str, str]) -> None:
    """Add the split of each image that a list names as CLASS/IMAGE, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    found = set()
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name:
            continue
        parts = name.split("/")
        if len(parts) != 2 or "" in parts or ".." in parts:
            raise DataError(
                f"{path}, line {number}: expected CLASS/IMAGE, but found {name!r}; fetch it again"
            )
        if name in split_of:
            raise DataError(
                f"{path}, line {number}: {name} is listed before, for {split_of[name]}; "
                "fetch both lists again"
            )
        split_of[name] = split
        found.add(parts[0])
    if len(found) != _CLASSES:
        raise DataError(
            f"{path} lists images of {len(found)} classes, not of {_CLASSES}; fetch it again; or, "
            'for a part of them, set data.source = "folder" or "manifest"'
        )


def _fetch(root: Path) -> str:
    return (
        f"fetch {_ARCHIVE}, {' and '.join(_LISTS.values())} (Indoor Scene Recognition, "
        f"web.mit.edu/torralba/www/indoor.html) and put them into {root}"
    )
