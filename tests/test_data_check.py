import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mixqual.config import DataConfig, SplitConfig
from mixqual.data_check import check_data, data_of
from mixqual.errors import DataError, StudyError


@pytest.fixture(autouse=True)
def forgetful(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXQUAL_CACHE", str(tmp_path_factory.mktemp("remembered")))


def put(
    root: Path, name: str, shade: int, mode: str = "L", size: tuple[int, int] = (20, 20)
) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (shade,) * len(mode) if len(mode) > 1 else shade
    Image.new(mode, size, colour).save(path)


def check(root: Path, split: SplitConfig | None = None) -> dict:
    return check_data(DataConfig(source="folder", path=str(root), size=16), split)


def test_a_sound_folder_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for number in range(4):
        put(root, f"cat/{number}.png", number, size=(20, 30 + number))
    for number in range(2):
        put(root, f"dog/{number}.bmp", 10 + number, size=(50, 30))
    assert json.loads(json.dumps(check(root))) == {
        "source": "pets",
        "images": 6,
        "splits": "none",
        "classes": [{"class": "cat", "images": 4}, {"class": "dog", "images": 2}],
        "sizes": {
            "width": {"min": 20, "median": 20.0, "max": 50},
            "height": {"min": 30, "median": 30.5, "max": 33},
            "odd_aspect": 0,
            "odd_aspect_from": 2.0,
            "smaller_than_crop": 0,
        },
        "kinds": {"grayscale": 6},
        "formats": {"BMP": 2, "PNG": 4},
        "duplicates": [],
        "across_splits": [],
        "across_classes": [],
        "wrong_suffixes": [],
        "unreadable": [],
        "left_out": [],
        "balance": {"smallest": "dog", "largest": "cat", "ratio": 2.0},
        "problems": [],
        "warnings": [],
    }


def test_images_that_are_not_read_are_a_problem_and_all_that_are_count(tmp_path: Path) -> None:
    for number, suffix in enumerate((".png", ".jfif", ".jpe", ".apng", ".dib", ".pbm")):
        kind = {"jfif": "jpg", "jpe": "jpg", "apng": "png"}.get(suffix[1:], suffix[1:])
        for name in ("cat", "dog"):
            shade = 30 * number + 3 * len(name) + (name == "dog")
            put(tmp_path, f"{name}/x.{kind}", shade, mode="1" if kind == "pbm" else "L")
            (tmp_path / name / f"x.{kind}").rename(tmp_path / name / f"{number}{suffix}")
    (tmp_path / "cat" / "photo.HEIC").write_bytes(b"x")
    (tmp_path / "cat" / "photo.nef").write_bytes(b"x")
    (tmp_path / "cat" / "notes.txt").write_bytes(b"x")
    report = check(tmp_path)
    assert [row["images"] for row in report["classes"]] == [6, 6]
    assert report["problems"][0] == (
        "2 images are in a format that is not read (see the files left out); save as PNG, JPEG or "
        "WebP"
    )
    assert report["warnings"][0] == "1 other file is left out"
    assert report["wrong_suffixes"] == []


def test_what_is_wrong_is_told_with_the_files(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for number in range(11):
        put(root, f"train/cat/{number}.png", number)
        put(root, f"test/cat/{number}.png", 30 + number)
    put(root, "train/dog/0.png", 60)
    put(root, "test/dog/0.png", 61)
    put(root, "train/dog/small.png", 62, mode="RGB", size=(40, 8))
    put(root, "test/cat/leak.bmp", 3)
    put(root, "test/cat/clash.png", 60)
    put(root, "train/cat/copy.png", 0)
    (root / "train/cat/copy.png").rename(root / "train/cat/copy.gif")
    (root / "train/cat/broken.png").write_bytes(b"")
    (root / "train/cat/notes.txt").write_text("x")
    report = check(root)
    assert report["splits"] == "given"
    assert report["classes"] == [
        {"class": "cat", "images": 25, "train": 12, "test": 13},
        {"class": "dog", "images": 3, "train": 2, "test": 1},
    ]
    leak = {"between": "splits", "place": "test", "twin_place": "train"}
    assert report["across_splits"] == [
        leak | {"id": "test/cat/clash.png", "twin": "train/dog/0.png", "what": "the same file"},
        leak | {"id": "test/cat/leak.bmp", "twin": "train/cat/3.png", "what": "the same pixels"},
    ]
    clash = {"between": "classes", "place": "dog", "twin_place": "cat", "what": "the same file"}
    assert report["across_classes"] == [
        clash | {"id": "train/dog/0.png", "twin": "test/cat/clash.png"}
    ]
    assert [(copy["id"], copy["twin"]) for copy in report["duplicates"]] == [
        ("train/cat/3.png", "test/cat/leak.bmp"),
        ("train/cat/copy.gif", "train/cat/0.png"),
        ("train/dog/0.png", "test/cat/clash.png"),
    ]
    assert report["unreadable"] == [{"id": "train/cat/broken.png", "reason": "the file is empty"}]
    assert report["wrong_suffixes"] == [{"id": "train/cat/copy.gif", "reason": "holds PNG"}]
    assert report["problems"] == [
        "1 image cannot be read",
        "2 images are of val or test and in an earlier split, or of a group that is",
        "1 image is in another class as well",
    ]
    assert report["warnings"] == [
        "1 other file is left out",
        "1 image is in another format than that of the name",
        "3 images are the same as an earlier one",
        "1 image is over 2 times longer than wide or wider than long, to be squeezed into squares",
        "1 image is below the crop of 16 pixels",
        "27 images are gray among others in colour: classes may differ by that alone",
    ]


def test_copies_that_a_study_goes_on_with_are_no_problem(tmp_path: Path) -> None:
    for name, place in (
        (0, "train/cat/0"),
        (0, "test/cat/0"),
        (1, "train/dog/1"),
        (2, "test/dog/2"),
    ):
        put(tmp_path, f"{place}.png", name)
    data = DataConfig(source="folder", path=str(tmp_path), size=16)
    told = "1 image is of val or test and in an earlier split, or of a group that is"
    refused, allowed = (
        check_data(data.model_copy(update={"on_leak": on_leak})) for on_leak in ("raise", "warn")
    )
    assert refused["problems"] == [told]
    assert allowed["problems"] == []
    assert f"{told}; they are used as they are" in allowed["warnings"]
    assert allowed["across_splits"] == refused["across_splits"]


def test_the_splits_of_a_study_are_drawn(study_file: Callable[..., Path]) -> None:
    data, split = data_of(study_file())
    assert split is not None
    report = check_data(data, split)
    assert report["splits"] == "drawn"
    assert report["problems"] == []
    for row in report["classes"]:
        assert (row["images"], row["train"], row["val"], row["test"]) == (20, 10, 4, 6)


def test_copies_are_no_leak_where_the_splits_are_drawn(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(30):
            put(tmp_path, f"{name}/{number}.png", number // 2 + 100 * (name == "b"))
    report = check(tmp_path, SplitConfig(train=0.5, val=0.2))
    assert len(report["duplicates"]) == 30
    assert report["across_splits"] == []


def test_splits_that_cannot_be_drawn_are_a_problem(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(4):
            put(tmp_path, f"{name}/{number}.png", number + 100 * (name == "b"))
    report = check(tmp_path, SplitConfig(train=50, val=1))
    assert report["splits"] == "none"
    assert len(report["problems"]) == 1
    assert "class 'a' has 4 images" in report["problems"][0]


def test_a_class_without_a_readable_image_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", 1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "0.png").write_bytes(b"x")
    report = check(tmp_path)
    assert report["problems"][1] == "1 class has no image that can be read: b"
    assert report["balance"] == {"smallest": "b", "largest": "a", "ratio": None}
    (tmp_path / "a" / "0.png").write_bytes(b"x")
    assert check(tmp_path)["images"] == 0


def test_sources(tmp_path: Path, study_file: Callable[..., Path]) -> None:
    data, split = data_of(tmp_path)
    assert (data.source, data.path, split) == ("folder", str(tmp_path), None)
    data, split = data_of(tmp_path / "labels.csv")
    assert (data.source, data.path, split) == ("manifest", str(tmp_path / "labels.csv"), None)
    assert data_of(study_file())[0].size == 32
    with pytest.raises(StudyError, match=r"gone.toml: no such study file"):
        data_of(tmp_path / "gone.toml")
    with pytest.raises(DataError, match="no such folder"):
        check_data(data_of(tmp_path / "gone")[0])
