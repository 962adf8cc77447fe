import sys
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from image_files import gray, save

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, decode_images, index_images, open_images
from mixqual.errors import DataError
from mixqual.images import Embedded

NAMES = ClassLabel(names=["zebra", "none", "ant"])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def huggingface(path: Path, **config: object) -> ImageIndex:
    return index_images(DataConfig(source="huggingface", path=str(path), **config))


def table(labels: list, kind: object = NAMES, **columns: list) -> Dataset:
    """Images gray(0), gray(1) ... with these labels."""
    images = [gray(number) for number in range(len(labels))]
    features = {"image": datasets.Image(), "label": kind}
    features |= {name: Value("string") for name in columns}
    return Dataset.from_dict(
        {"image": images, "label": labels, **columns}, features=Features(features)
    )


def save_to(data: Dataset | DatasetDict, folder: Path, **options: object) -> Path:
    data.save_to_disk(str(folder), **options)
    return folder


def test_table_without_splits(tmp_path: Path) -> None:
    index = huggingface(save_to(table([2, 0, 0]), tmp_path / "pets"))
    assert index.name == "pets"
    assert index.classes == ("zebra", "ant")  # in their order, without the one that has no image
    assert [(item.id, item.label, item.split) for item in index.items] == [
        ("0", 1, None),
        ("1", 0, None),
        ("2", 0, None),
    ]


def test_bytes_are_those_of_the_images(tmp_path: Path) -> None:
    data = table([0, 2, 0, 2, 0]).select([4, 3, 1, 0])
    index = huggingface(save_to(data, tmp_path / "pets", num_shards=3))
    settings = {"interpolation": "bilinear", "workers": 2, "on_error": "raise"}
    decode_images(index, tmp_path / "cache", size=35, **settings)
    pixels_NHWC = open_images(tmp_path / "cache", 64).pixels_NHWC
    for row, seed in enumerate((4, 3, 1, 0)):
        middle = np.array(gray(seed))[2:37, 2:37]
        np.testing.assert_array_equal(pixels_NHWC[row, :, :, 0], middle)
    for item in index.items:
        assert isinstance(item.path, Embedded)
        assert item.path.size == len(item.path.read())
    assert str(index.items[2].path) == f"{tmp_path / 'pets'}, row 2"
    assert index.fingerprint() == huggingface(tmp_path / "pets").fingerprint()


def test_splits_groups_and_what_is_left_out(tmp_path: Path) -> None:
    data = DatasetDict(
        {
            "train": table([0, 2, 2], group=["p1", None, "p1"]),
            "validation": table([0, 2], group=["p2", "p2"]),
            "test": table([-1, 0, 2], group=["p3", "", "p3"]),
            "extra": table([0], group=["p9"]),
        }
    )
    index = huggingface(save_to(data, tmp_path / "pets"))
    found = {item.id: (index.classes[item.label], item.split, item.group) for item in index.items}
    assert found == {
        "train/0": ("zebra", "train", "p1"),
        "train/1": ("ant", "train", None),
        "train/2": ("ant", "train", "p1"),
        "validation/0": ("zebra", "val", "p2"),
        "validation/1": ("ant", "val", "p2"),
        "test/1": ("zebra", "test", None),
        "test/2": ("ant", "test", "p3"),
    }
    assert {file.id: file.reason for file in index.left_out} == {
        "test/0": "it has no label",
        "extra": "a split of 1 images that is none of train, validation and test",
    }


def test_a_split_without_labels_is_named(tmp_path: Path) -> None:
    bare = table([-1, -1, -1], ClassLabel(names=["none"]))
    root = save_to(DatasetDict({"test": bare, "train": table([0, 2])}), tmp_path / "pets")
    index = huggingface(root)
    assert [item.id for item in index.items] == ["train/0", "train/1"]
    reason = "a split of 3 images without any label"
    assert [(file.id, file.reason) for file in index.left_out] == [("test", reason)]
    bare = table([0, 2]).select_columns(["image"])
    root = save_to(DatasetDict({"train": table([0, 2]), "test": bare}), tmp_path / "bare")
    with pytest.raises(DataError, match=r"split 'test': there is no column label; .*add it, or"):
        huggingface(root)


@pytest.mark.parametrize(
    ("kind", "labels", "classes"),
    [("string", ["b", "a", "b"], ("a", "b")), ("int64", [10, 9, 9], ("9", "10"))],
)
def test_labels_of_other_kinds(tmp_path: Path, kind: str, labels: list, classes: tuple) -> None:
    index = huggingface(save_to(table(labels, Value(kind)), tmp_path / "pets"))
    assert index.classes == classes
    assert [index.classes[item.label] for item in index.items] == [str(label) for label in labels]


def test_single_columns_may_have_other_names(tmp_path: Path) -> None:
    data = table([0, 2]).rename_columns({"image": "img", "label": "fine"})
    assert len(huggingface(save_to(data, tmp_path / "pets")).items) == 2


def test_classes_are_excluded_and_drawn(tmp_path: Path) -> None:
    root = save_to(table(list("abcd"), Value("string")), tmp_path / "pets")
    assert huggingface(root, exclude_classes=("b",)).classes == ("a", "c", "d")
    assert len(huggingface(root, sample_classes=2).items) == 2


def test_what_is_wrong_with_rows(tmp_path: Path) -> None:
    features = Features({"image": datasets.Image(), "label": Value("string")})
    data = Dataset.from_dict({"image": [gray(), None], "label": ["", "a"]}, features=features)
    message = r"2 rows cannot be used.*\n  row 0: the label is empty\n  row 1: there is no image"
    with pytest.raises(DataError, match=message):
        huggingface(save_to(data, tmp_path / "pets"))


def test_columns_that_are_lacking(tmp_path: Path) -> None:
    data = table([0, 2]).rename_columns({"label": "label_1"}).add_column("n", [1, 2])
    with pytest.raises(DataError, match=r"column Image.*: n \(Value\)"):
        huggingface(save_to(data.select_columns(["n"]), tmp_path / "a"))
    with pytest.raises(DataError, match=r"no column label; .*image \(Image\), n \(Value\)"):
        huggingface(save_to(data.select_columns(["image", "n"]), tmp_path / "b"))


def test_splits_with_different_classes(tmp_path: Path) -> None:
    other = table([0, 1], ClassLabel(names=["ant", "zebra"]))
    root = save_to(DatasetDict({"train": table([0, 2]), "test": other}), tmp_path / "pets")
    with pytest.raises(DataError, match=r"its splits differ in their classes"):
        huggingface(root)


def test_damaged_image_is_named_by_its_row(tmp_path: Path) -> None:
    features = Features({"image": datasets.Image(), "label": NAMES})
    good = {"bytes": (save(gray(), tmp_path / "x.png")).read_bytes(), "path": None}
    bad = {"bytes": good["bytes"][:100], "path": None}
    data = Dataset.from_dict({"image": [good, good, bad], "label": [0, 2, 2]}, features=features)
    index = huggingface(save_to(data, tmp_path / "pets"))
    settings = {"interpolation": "bilinear", "workers": 1, "size": 32}
    with pytest.raises(DataError, match=r"1 of 3 images cannot be read(.|\n)*pets, row 2"):
        decode_images(index, tmp_path / "cache", on_error="raise", **settings)
    decode_images(index, tmp_path / "cache", on_error="skip", **settings)
    assert open_images(tmp_path / "cache", 64).ids == ("0", "1")


def test_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere': no such folder; name one that `save_to_disk`"):
        huggingface(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no data set that `save_to_disk` wrote"):
        huggingface(tmp_path)


def test_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)  # makes importing it fail
    with pytest.raises(DataError, match=r"pip install 'mixqual\[huggingface\]'"):
        huggingface(tmp_path)
