import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import folder, gray, save

from mixqual.config import DataConfig
from mixqual.data import index_images
from mixqual.errors import DataError


def test_classes_sort_like_imagefolder_and_images_naturally(tmp_path: Path) -> None:
    for name in ("10", "9", "Z", "a"):
        for number in (10, 2, 1):
            save(gray(), tmp_path / name / f"img{number}.png")
    index = folder(tmp_path)
    assert index.classes == ("10", "9", "Z", "a")
    assert [item.id for item in index.items if item.label == 3] == [
        "a/img1.png",
        "a/img2.png",
        "a/img10.png",
    ]
    for item in index.items:
        assert item.path == tmp_path / item.id
        assert item.id.startswith(index.classes[item.label] + "/")
        assert item.split is None


def test_dirty_folder_keeps_images_and_lists_the_rest(root: Path) -> None:
    save(gray(), root / "a" / "deep" / "er" / "x.JPG")
    save(gray(), root / ".hidden" / "x.png")
    save(gray(), root / "a" / ".thumbnails" / "x.png")
    save(gray(), root / "a" / "._0.png")
    save(gray(), root / "stray.png")
    (root / "README.md").write_text("read me")
    (root / "a" / "notes.txt").write_text("notes")
    (root / "a" / "broken.png").symlink_to(root / "nowhere.png")
    (root / "a" / "loop").symlink_to(root / "a")
    (root / "a" / "itself.png").symlink_to(root / "a" / "itself.png")
    os.mkfifo(root / "b" / "pipe.png")
    (root / "b" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    index = folder(root)
    assert [item.id for item in index.items] == [
        *("a/0.png", "a/1.png", "a/2.png", "a/deep/er/x.JPG"),
        *("b/0.png", "b/1.png", "b/2.png"),
    ]
    assert {file.id: file.reason for file in index.left_out} == {
        "README.md": "not an image by its suffix",
        "stray.png": "outside of any class folder",
        "a/notes.txt": "not an image by its suffix",
        "a/broken.png": "a broken link",
        "a/itself.png": "a broken link",
        "b/pipe.png": "not a regular file",
        "b/?.png": "the file's name is not valid UTF-8",
    }


def test_folder_may_be_the_current_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    for name in (".", "./", "../images"):
        assert [item.id for item in folder(Path(name)).items][:2] == ["a/0.png", "a/1.png"]


def test_linked_class_folder_is_followed(root: Path, tmp_path: Path) -> None:
    save(gray(), tmp_path / "elsewhere" / "x.png")
    (root / "c").symlink_to(tmp_path / "elsewhere")
    assert "c/x.png" in {item.id for item in folder(root).items}


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_given_splits(tmp_path: Path, name: str) -> None:
    for split in ("train", name, "test"):
        for label in ("cat", "dog"):
            save(gray(), tmp_path / split / label / "x.png")
    (tmp_path / "test" / "stray.txt").write_text("x")
    index = folder(tmp_path)
    assert index.classes == ("cat", "dog")
    assert {item.id: (item.label, item.split) for item in index.items} == {
        "train/cat/x.png": (0, "train"),
        "train/dog/x.png": (1, "train"),
        f"{name}/cat/x.png": (0, "val"),
        f"{name}/dog/x.png": (1, "val"),
        "test/cat/x.png": (0, "test"),
        "test/dog/x.png": (1, "test"),
    }
    assert [file.id for file in index.left_out] == ["test/stray.txt"]


SPELLINGS = {
    "train": ("train", "Train", "TRAINING", "training"),
    "val": ("val", "Valid", "validation", "VAL"),
    "test": ("test", "Test", "testing", "eval", "EVAL"),
}


@given(data=st.data())
def test_splits_are_known_by_any_of_their_names(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any")
    splits = data.draw(st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=2, unique=True))
    names = {split: data.draw(st.sampled_from(SPELLINGS[split])) for split in splits}
    for name in names.values():
        for label in ("cat", "dog"):
            (root / name / label).mkdir(parents=True)
            (root / name / label / "x.png").touch()
    index = folder(root)
    assert index.classes == ("cat", "dog")
    assert {item.id.partition("/")[0]: item.split for item in index.items} == {
        name: split for split, name in names.items()
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ("train/1.png", "test/2.png"),
            r"train 1 images and test 1 images, but no class folders; arrange them as train/CLASS",
        ),
        (("Train/1.png", "VAL/2.png", "test/3.png"), r"Train 1 images and VAL .* arrange them as"),
        (
            ("train/a/1.png", "train/b/2.png", "test/3.png", "test/4.png"),
            r"test 2 images, but no class folders; .* set data.path = '.*/train' alone",
        ),
        (
            ("train/a/1.png", "train/b/2.png", "val/note.txt"),
            r"val no images, but no class folders",
        ),
        (
            ("seg_train/a/1.png", "seg_train/b/1.png", "seg_test/a/2.png", "seg_test/b/2.png"),
            "holds seg_test, seg_train, which look like splits; rename them to train, val and test",
        ),
        (("Training Set/1.png", "testset/2.png"), "Training Set, testset, which look like splits"),
        (
            ("good/train/1.png", "good/test/2.png", "bad/train/1.png", "bad/test/2.png"),
            r"the folders bad, good hold splits \(test, train\); arrange .* as SPLIT/CLASS/IMAGE",
        ),
        (
            ("Train/a/1.png", "train/a/1.png", "test/a/1.png"),
            r"several training splits \(Train, train\); keep one",
        ),
    ],
)
def test_splits_are_never_taken_for_classes(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        folder(tmp_path)


def test_classes_that_sound_like_splits_beside_others_are_classes(tmp_path: Path) -> None:
    for name in ("test_tube", "beaker", "training_shoe", "validator/val/deep"):
        save(gray(), tmp_path / name / "x.png")
    assert folder(tmp_path).classes == ("beaker", "test_tube", "training_shoe", "validator")


def test_train_may_be_a_class(tmp_path: Path) -> None:
    save(gray(), tmp_path / "train" / "steam" / "x.png")
    save(gray(), tmp_path / "bus" / "x.png")
    assert folder(tmp_path).classes == ("bus", "train")
    save(gray(), tmp_path / "test" / "x.png")
    save(gray(), tmp_path / "train" / "y.png")
    assert folder(tmp_path).classes == ("bus", "test", "train")


def test_exclude_and_sample(tmp_path: Path) -> None:
    for number in range(12):
        save(gray(), tmp_path / f"class{number:02}" / "x.png")
    (tmp_path / "empty").mkdir()
    index = folder(tmp_path, exclude_classes=("class03", "empty"))
    assert len(index.classes) == 11
    assert "class03" not in index.classes
    drawn = folder(tmp_path, exclude_classes=("class03", "empty"), sample_classes=5)
    assert len(drawn.classes) == 5
    assert list(drawn.classes) == sorted(drawn.classes)
    assert "class03" not in drawn.classes
    assert all(item.id == f"{drawn.classes[item.label]}/x.png" for item in drawn.items)


def test_fingerprint_follows_the_files(root: Path) -> None:
    first = folder(root).fingerprint()
    assert folder(root).fingerprint() == first
    prints = {first}
    with (root / "a" / "0.png").open("ab") as file:
        file.write(b"more")
    prints.add(folder(root).fingerprint())
    (root / "a" / "0.png").rename(root / "b" / "9.png")
    prints.add(folder(root).fingerprint())
    index = folder(root)
    (root / "b" / "9.png").unlink()
    prints.add(folder(root).fingerprint())
    assert len(prints) == 4
    with pytest.raises(DataError, match=r"b/9.png: cannot be read any more"):
        index.fingerprint()


def test_missing_path_and_file(root: Path) -> None:
    with pytest.raises(DataError, match=r"data.path = '.*/nowhere': no such folder"):
        folder(root / "nowhere")
    with pytest.raises(DataError, match=r"data.path = '.*/a/0.png' is a file"):
        folder(root / "a" / "0.png")


def test_too_few_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data.path = .* holds no class folders"):
        folder(tmp_path)
    save(gray(), tmp_path / "top" / "a" / "x.png")
    with pytest.raises(DataError, match=r"holds a single class, 'top'.*add a folder"):
        folder(tmp_path)
    save(gray(), tmp_path / "top" / "b" / "x.png")
    with pytest.raises(DataError, match=r"holds a single class, 'top'.*set data.path = '.*/top'"):
        folder(tmp_path)


@pytest.mark.parametrize("layout", ["", "train"])
def test_all_classes_excluded(tmp_path: Path, layout: str) -> None:
    for name in ("a", "b"):
        save(gray(), tmp_path / layout / name / "x.png")
    with pytest.raises(DataError, match=r"data.exclude_classes leaves 0 of the classes"):
        folder(tmp_path, exclude_classes=("a", "b"))
    with pytest.raises(DataError, match=r"data.exclude_classes leaves 1 of the classes"):
        folder(tmp_path, exclude_classes=("a",))


def test_class_that_is_not_drawn_may_be_empty(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(gray(), tmp_path / name / "x.png")
    (tmp_path / "d").mkdir()
    drawn = {seed: index_sample(tmp_path, seed) for seed in range(20)}
    assert "d" not in {name for classes in drawn.values() for name in classes or ()}
    assert None in drawn.values()


def index_sample(root: Path, seed: int) -> tuple[str, ...] | None:
    config = DataConfig(source="folder", path=str(root), sample_classes=2)
    try:
        return index_images(config, seed).classes
    except DataError:
        return None


def test_empty_class_names_it(root: Path) -> None:
    (root / "hollow").mkdir()
    (root / "hollow" / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"hollow: class 'hollow' holds no image .*\.png"):
        folder(root)


def test_unknown_excluded_class(root: Path) -> None:
    with pytest.raises(DataError, match=r"data.exclude_classes: .*'zebra'.*it has a, b"):
        folder(root, exclude_classes=("zebra",))


def test_sample_of_more_classes_than_exist(root: Path) -> None:
    with pytest.raises(DataError, match=r"data.sample_classes = 3 is more than the 2"):
        folder(root, sample_classes=3)


def test_different_classes_in_train_and_test(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a", "test/c", "test/d"):
        save(gray(), tmp_path / name / "x.png")
    message = r"train and test hold different classes \(only in train: b; only in test: c, d\)"
    with pytest.raises(DataError, match=message):
        folder(tmp_path)


def test_splits_beside_other_folders_or_twice(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "val/a", "val/b", "annotations"):
        save(gray(), tmp_path / name / "x.png")
    with pytest.raises(DataError, match=r"holds the splits train, val beside.*\(annotations\)"):
        folder(tmp_path)
    (tmp_path / "annotations").rename(tmp_path / "valid")
    with pytest.raises(DataError, match=r"several validation splits \(val, valid\)"):
        folder(tmp_path)


def test_folder_name_that_is_not_text(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(DataError, match=r"caf\?: the folder's name is not valid UTF-8"):
        folder(root)


def test_socket_is_no_image(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "a")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.png")
        assert [file.reason for file in folder(root).left_out] == ["not a regular file"]
