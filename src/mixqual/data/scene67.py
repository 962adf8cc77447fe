"""Scene67 (MIT Indoor Scenes): the images of two published lists, which are its given splits."""

from pathlib import Path

from mixqual.data.archives import Archive
from mixqual.data.classes import ClassChoice, choose_classes, keep_classes
from mixqual.data.file_trees import ArchiveTree, FolderTree, Tree
from mixqual.data.files import natural
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.rows import leave_out_missing
from mixqual.errors import DataError

CREDIT = (
    "MIT Indoor Scenes, for research purposes only: A. Quattoni, A. Torralba, Recognizing Indoor "
    "Scenes, CVPR 2009."
)

_CLASSES = 67
_IMAGES = "Images"
_PLACES = (".", "indoorCVPR_09")  # as published, and as Kaggle has it
_ARCHIVE = "indoorCVPR_09.tar"
_LISTS = {"train": "TrainImages.txt", "test": "TestImages.txt"}


def index_scene67(root: Path, choice: ClassChoice, on_error: str) -> ImageIndex:
    """Index the listed images below `root`, of the chosen classes, with their splits.

    `root` holds TrainImages.txt, TestImages.txt and the folder Images, which may lie in
    indoorCVPR_09, or its archive, which is read as it is. Images in neither list are left out, and
    so are listed ones that are missing, or they are refused with `on_error` "raise". Raises
    `DataError` if a file is not there, a line of a list is odd or there twice, or a list has not
    all 67 classes.
    """
    for name in _LISTS.values():
        if not (root / name).is_file():
            raise DataError(f"{root / name}: no such file; {_fetch(root)}")
    tree = _tree(root)
    split_of: dict[str, str] = {}
    for split, name in _LISTS.items():
        _read_list(root / name, split, split_of)
    classes = tuple(sorted({name.partition("/")[0] for name in split_of}))
    files = {file.name: file.content for name in tree.folders() for file in tree.files(name)}

    def item(name: str, split: str) -> Item:
        content = files.get(name, tree.where / name)  # the latter is no file
        return Item(name, content, classes.index(name.partition("/")[0]), split)

    items = tuple(
        item(name, split)
        for name, split in sorted(split_of.items(), key=lambda entry: natural(entry[0]))
    )
    chosen = choose_classes(choice, "scene67", classes)
    left_out = tuple(
        LeftOut(name, f"in neither {' nor '.join(_LISTS.values())}")
        for name in files
        if name.partition("/")[0] in chosen and name not in split_of
    )
    index = keep_classes(ImageIndex("scene67", classes, items, left_out, CREDIT), chosen)
    return leave_out_missing(str(root), index, on_error)


def _tree(root: Path) -> Tree:
    for place in _PLACES:
        if (root / place / _IMAGES).is_dir():
            return FolderTree(root / place / _IMAGES)
    if not (root / _ARCHIVE).is_file():
        raise DataError(f"{root / _IMAGES}: no such folder; {_fetch(root)}")
    return ArchiveTree(Archive(root / _ARCHIVE), _IMAGES)


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
