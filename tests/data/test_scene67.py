import tarfile
from pathlib import Path

import pytest
from sources_of_files import of_study, split_counts, touch

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, index_images
from mixqual.errors import DataError

CLASSES = [f"room{number:02}" for number in range(67)]


def scene67(path: Path, seed: int = 0, **config: object) -> ImageIndex:
    return index_images(DataConfig(source="scene67", path=str(path), **config), seed)


def make(root: Path, train: int, test: int, others: int) -> Path:
    """The published layout; the lists interleave the images and mix the classes."""
    lists: dict[str, list[str]] = {"TrainImages.txt": [], "TestImages.txt": []}
    for name in CLASSES:
        touch(root / "Images" / name, train + test + others, "{}.jpg")
        for number in range(1, train + test + 1):
            which = "TestImages.txt" if number <= test else "TrainImages.txt"
            lists[which].append(f"{name}/{number}.jpg")
    for which, lines in lists.items():
        (root / which).write_text("\n".join(reversed(lines)))
    return root


def test_the_papers_split(tmp_path: Path) -> None:
    config, index = of_study("scene67", make(tmp_path, train=80, test=20, others=1))
    assert index.classes == tuple(CLASSES)
    counts = split_counts(config, index)
    assert counts["train"] == dict.fromkeys(CLASSES, 64)
    assert counts["val"] == dict.fromkeys(CLASSES, 16)
    assert counts["test"] == dict.fromkeys(CLASSES, 20)
    listed = {
        "train": set((tmp_path / "TrainImages.txt").read_text().split()),
        "test": set((tmp_path / "TestImages.txt").read_text().split()),
    }
    for split, names in listed.items():
        assert {item.id for item in index.items if item.split == split} == names
    assert len(index.left_out) == 67
    assert index.left_out[0].reason == "in neither TrainImages.txt nor TestImages.txt"


def test_the_published_lists_differ_by_class(tmp_path: Path) -> None:
    """They have 77 to 83 and 17 to 23 images of a class, 5,360 and 1,340 in all."""
    make(tmp_path, 80, 20, 0)
    moved = {"train": dict.fromkeys(CLASSES, 80), "test": dict.fromkeys(CLASSES, 20)}
    for name, more in (("room00", 3), ("room01", -3)):
        source, target = ("Test", "Train") if more > 0 else ("Train", "Test")
        lines = (tmp_path / f"{source}Images.txt").read_text().split("\n")
        taken = [line for line in lines if line.startswith(name)][:3]
        kept = [line for line in lines if line not in taken]
        (tmp_path / f"{source}Images.txt").write_text("\n".join(kept))
        with (tmp_path / f"{target}Images.txt").open("a") as file:
            file.write("\n" + "\n".join(taken))
        moved["train"][name] += more
        moved["test"][name] -= more
    config, index = of_study("scene67", tmp_path)
    counts = split_counts(config, index)
    assert counts["test"] == moved["test"]
    assert counts["train"] + counts["val"] == moved["train"]
    assert counts["val"] == dict.fromkeys(CLASSES, 16) | {"room00": 17, "room01": 15}


def test_kaggles_layout(tmp_path: Path) -> None:
    plain = scene67(make(tmp_path, 2, 1, 1))
    expected = plain.fingerprint()
    (tmp_path / "indoorCVPR_09").mkdir()
    (tmp_path / "indoorCVPR_09annotations" / "Annotations").mkdir(parents=True)
    (tmp_path / "Images").rename(tmp_path / "indoorCVPR_09" / "Images")
    index = scene67(tmp_path)
    assert index.fingerprint() == expected
    assert index.left_out == plain.left_out
    assert index.items[0].path == tmp_path / "indoorCVPR_09" / "Images" / index.items[0].id


def test_archive_is_read_as_it_is(tmp_path: Path) -> None:
    plain = scene67(make(tmp_path, 2, 1, 1))
    expected = plain.fingerprint()
    with tarfile.open(tmp_path / "indoorCVPR_09.tar", "w") as tar:
        tar.add(tmp_path / "Images", "Images")
    (tmp_path / "Images").rename(tmp_path / "away")
    index = scene67(tmp_path)
    assert index.fingerprint() == expected
    assert index.left_out == plain.left_out
    assert not (tmp_path / "Images").exists()


def test_archive_that_lacks_a_listed_image(tmp_path: Path) -> None:
    make(tmp_path, 2, 1, 0)
    (tmp_path / "Images" / "room00" / "1.jpg").unlink()
    with tarfile.open(tmp_path / "indoorCVPR_09.tar", "w") as tar:
        tar.add(tmp_path / "Images", "Images")
    (tmp_path / "Images").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"1 of the 201 .*no files.*\n.*_09.tar/Images/room00/1"):
        scene67(tmp_path)
    assert len(scene67(tmp_path, on_error="skip").items) == 200


def test_missing_images(tmp_path: Path) -> None:
    make(tmp_path, 2, 1, 0)
    (tmp_path / "Images" / "room00" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of the 201 images .* are no files.*\n.*room00/1.jpg"):
        scene67(tmp_path)
    index = scene67(tmp_path, on_error="skip")
    assert len(index.items) == 200
    assert [(file.id, file.reason) for file in index.left_out] == [
        ("room00/1.jpg", "the file is missing")
    ]
    for number in (2, 3):
        (tmp_path / "Images" / "room00" / f"{number}.jpg").unlink()
    with pytest.raises(DataError, match=r"class 'room00' has no image left"):
        scene67(tmp_path, on_error="skip")
    assert len(scene67(tmp_path, exclude_classes=("room00",)).classes) == 66


def test_classes_are_drawn(tmp_path: Path) -> None:
    make(tmp_path, 2, 1, 1)
    drawn = [scene67(tmp_path, seed, sample_classes=10) for seed in (1, 1, 2)]
    assert drawn[0].classes == drawn[1].classes != drawn[2].classes
    assert {item.id.partition("/")[0] for item in drawn[0].items} == set(drawn[0].classes)
    assert {file.id.partition("/")[0] for file in drawn[0].left_out} == set(drawn[0].classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("room00/1.jpg", r"line 2: room00/1.jpg is listed before, for test"),
        ("1.jpg", r"line 2: expected CLASS/IMAGE, but found '1.jpg'"),
        ("../room00/1.jpg", r"line 2: expected CLASS/IMAGE"),
        ("room99/1.jpg", r"TestImages.txt lists images of 68 classes, not of 67"),
        ("room00/\xff.jpg", r"TestImages.txt: cannot be read"),
    ],
)
def test_damaged_list(tmp_path: Path, text: str, message: str) -> None:
    make(tmp_path, 1, 1, 0)
    lines = (tmp_path / "TestImages.txt").read_text().split("\n")
    lines = ["room00/1.jpg", text, *(line for line in lines if line != "room00/1.jpg")]
    (tmp_path / "TestImages.txt").write_bytes("\r\n".join(lines).encode("latin-1"))
    with pytest.raises(DataError, match=message):
        scene67(tmp_path)


def test_absent_files_are_named(tmp_path: Path) -> None:
    message = r"TrainImages.txt: no such file; fetch indoorCVPR_09.tar, .* put them into"
    with pytest.raises(DataError, match=message):
        scene67(tmp_path)
    make(tmp_path, 1, 1, 0)
    (tmp_path / "Images").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"Images: no such folder; fetch indoorCVPR_09.tar"):
        scene67(tmp_path)
