"""Of given splits one is used: the one asked for, else the test images."""

from pathlib import Path

import pytest

from mixqual.data import ImageIndex, Item, choose_split
from mixqual.errors import DataError


def index(*splits: str | None) -> ImageIndex:
    items = tuple(Item(str(n), Path(str(n)), 0, split) for n, split in enumerate(splits))
    return ImageIndex("photos", ("a", "b"), items, (), "")


@pytest.mark.parametrize(
    ("splits", "asked", "kept", "name", "aside"),
    [
        ((None, None), None, "01", None, {}),
        ((None, None), "all", "01", None, {}),
        (("train", "test", "val", "test"), None, "13", "test", {"train": 1, "val": 1}),
        (("train", "val", "val"), None, "12", "val", {"train": 1}),
        (("train", "train"), None, "01", "train", {}),
        (("train", "test"), "train", "0", "train", {"test": 1}),
        (("train", "test"), "all", "01", "all", {}),
    ],
)
def test_images_of_one_split(
    splits: tuple[str | None, ...], asked: str | None, kept: str, name: str, aside: dict[str, int]
) -> None:
    found = choose_split(index(*splits), asked)
    assert "".join(item.id for item in found.index.items) == kept
    assert (found.name, found.aside) == (name, aside)


@pytest.mark.parametrize(
    ("splits", "message"),
    [((None, None), "photos has no folders of splits"), (("train",), "has the splits train; or")],
)
def test_a_split_that_is_not_there_is_refused(splits: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose_split(index(*splits), "test")
