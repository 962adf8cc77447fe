import csv
import io
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from sources_of_files import of_study, split_counts, touch

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, decode_images, index_images, open_images
from mixqual.errors import DataError

WNIDS = [f"n{1000 + 7 * number:08}" for number in range(1000)]
TRAIN = 5
# The class of each validation image; the order of classes is not that of their names.
TRUTH = np.random.default_rng(0).permutation(np.repeat(np.arange(1000), 2)).tolist()


def val_name(position: int) -> str:
    return f"ILSVRC2012_val_{position + 1:08}"


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training images of all classes; tests link to them."""
    root = tmp_path_factory.mktemp("ilsvrc")
    for wnid in WNIDS:
        touch(root / wnid, TRAIN, wnid + "_{}.JPEG")
    return root


@pytest.fixture(scope="module")
def val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("val")
    for position in range(len(TRUTH)):
        (root / f"{val_name(position)}.JPEG").touch()
    return root


@pytest.fixture
def root(tmp_path: Path, train: Path, val: Path) -> Path:
    """Flat validation images without any file that says their classes."""
    (tmp_path / "train").symlink_to(train)
    (tmp_path / "val").symlink_to(val)
    return tmp_path


def write_kaggle(path: Path, wnids: list[str] = WNIDS) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "PredictionString"])
        for position, number in reversed(list(enumerate(TRUTH))):
            box = f"{wnids[number]} 1 2 3 4 "
            writer.writerow([val_name(position), box * (1 + position % 2)])


def write_kit(folder: Path) -> None:
    """As in the development kit: numbers of classes in an order of their own, and nodes above."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(1).permutation(1000).tolist()
    numbers = {number: position + 1 for position, number in enumerate(order)}
    synsets = np.zeros(1001, dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    for number, position in numbers.items():
        synsets[position - 1] = (float(position), WNIDS[number])
    synsets[1000] = (1001.0, "n00000001")
    savemat(folder / "meta.mat", {"synsets": synsets.reshape(-1, 1)})
    text = "".join(f"{numbers[number]}\n" for number in TRUTH)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text(text)


def imagenet(path: Path, seed: int = 0, **config: object) -> ImageIndex:
    return index_images(DataConfig(source="imagenet50", path=str(path), **config), seed)


def classes_of_test(index: ImageIndex) -> dict[str, str]:
    return {
        Path(item.id).stem: index.classes[item.label]
        for item in index.items
        if item.split == "test"
    }


def expected_test(index: ImageIndex) -> dict[str, str]:
    return {
        val_name(position): WNIDS[number]
        for position, number in enumerate(TRUTH)
        if WNIDS[number] in index.classes
    }


def test_the_papers_split_and_sample(root: Path) -> None:
    write_kaggle(root / "LOC_val_solution.csv")
    config, index = of_study("imagenet50", root)
    assert len(index.classes) == 50
    assert list(index.classes) == sorted(index.classes)
    counts = split_counts(config, index)
    assert counts["train"] == dict.fromkeys(index.classes, 4)
    assert counts["val"] == dict.fromkeys(index.classes, 1)
    assert counts["test"] == dict.fromkeys(index.classes, 2)
    assert classes_of_test(index) == expected_test(index)
    assert index.left_out == ()


def test_sample_depends_on_the_seed_alone(root: Path) -> None:
    write_kaggle(root / "LOC_val_solution.csv")
    assert imagenet(root, 3).classes == imagenet(root, 3).classes != imagenet(root, 4).classes
    assert imagenet(root, 3).classes == imagenet(root, 3, sample_classes=50).classes
    small = imagenet(root, 3, sample_classes=7, exclude_classes=tuple(WNIDS[:900]))
    assert len(small.classes) == 7
    assert set(small.classes) <= set(WNIDS[900:])


@pytest.mark.parametrize("place", [".", "ILSVRC2012_devkit_t12/data"])
def test_classes_from_the_development_kit(root: Path, place: str) -> None:
    write_kit(root / place)
    index = imagenet(root)
    assert classes_of_test(index) == expected_test(index)
    assert Counter(item.split for item in index.items) == {"train": 50 * TRAIN, "test": 100}


def test_layout_of_kaggle(root: Path, tmp_path: Path) -> None:
    base = tmp_path / "kaggle" / "ILSVRC" / "Data" / "CLS-LOC"
    base.mkdir(parents=True)
    for name in ("train", "val"):
        (root / name).rename(base / name)
    write_kaggle(tmp_path / "kaggle" / "LOC_val_solution.csv")
    index = imagenet(tmp_path / "kaggle")
    assert classes_of_test(index) == expected_test(index)
    assert index.items[0].id.startswith("train/n")


def test_layout_of_torchvision(root: Path) -> None:
    write_kaggle(root / "LOC_val_solution.csv")
    flat = imagenet(root)
    (root / "val").unlink()
    for position, number in enumerate(TRUTH):
        folder = root / "val" / WNIDS[number]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{val_name(position)}.JPEG").touch()
    (root / "val" / "notes.txt").write_text("x")
    (root / "LOC_val_solution.csv").unlink()
    index = imagenet(root)
    assert index.classes == flat.classes
    assert classes_of_test(index) == classes_of_test(flat)
    assert [file.id for file in index.left_out] == ["val/notes.txt"]
    shutil.rmtree(root / "val" / index.classes[0])
    with pytest.raises(DataError, match=rf"val/{index.classes[0]}: no such folder"):
        imagenet(root)


def packed(files: dict[str, bytes]) -> bytes:
    """A tar archive of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def publish(source: Path, root: Path, *, nested: bool = True) -> None:
    """Write archives of train and val as ILSVRC2012 is published; the inner ones may lie apart."""
    classes = {
        f"{wnid}.tar": packed({f.name: f.read_bytes() for f in (source / "train" / wnid).iterdir()})
        for wnid in WNIDS
    }
    if nested:
        (root / "ILSVRC2012_img_train.tar").write_bytes(packed(classes))
    else:
        (root / "train").mkdir()
        for name, data in classes.items():
            (root / "train" / name).write_bytes(data)
    val = {file.name: file.read_bytes() for file in (source / "val").iterdir()}
    (root / "ILSVRC2012_img_val.tar").write_bytes(packed(val))


@pytest.mark.parametrize("nested", [True, False])
def test_archives_as_published(root: Path, tmp_path: Path, nested: bool) -> None:
    """An archive of class archives, and of flat validation images, with the packed devkit."""
    write_kit(root / "ILSVRC2012_devkit_t12" / "data")
    expected = imagenet(root, 3).fingerprint()
    there = tmp_path / "published"
    there.mkdir()
    with tarfile.open(there / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        tar.add(root / "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12")
    publish(root, there, nested=nested)
    before = sorted(there.iterdir())
    index = imagenet(there, 3)
    assert index.fingerprint() == expected
    assert classes_of_test(index) == expected_test(index)
    assert index.left_out == ()
    assert sorted(there.iterdir()) == before


def test_images_of_the_archives_are_those_of_the_folders(tmp_path: Path) -> None:
    for wnid in WNIDS:
        (tmp_path / "plain" / "train" / wnid).mkdir(parents=True)
    (tmp_path / "plain" / "val").mkdir()
    kept = WNIDS[:3]
    for number, wnid in enumerate(kept):
        Image.new("RGB", (20, 16), (9, 60 * number, 5)).save(
            tmp_path / "plain" / "train" / wnid / f"{wnid}_1.JPEG", "JPEG"
        )
    for position, number in enumerate(TRUTH):
        file = tmp_path / "plain" / "val" / f"{val_name(position)}.JPEG"
        if number < 3:
            Image.new("RGB", (16, 20), (position % 256, 60 * number, 5)).save(file, "JPEG")
    (tmp_path / "packed").mkdir()
    publish(tmp_path / "plain", tmp_path / "packed")
    found = []
    for root in (tmp_path / "plain", tmp_path / "packed"):
        write_kaggle(root / "LOC_val_solution.csv")
        index = imagenet(root, exclude_classes=tuple(WNIDS[3:]), sample_classes=3)
        folder = tmp_path / f"decoded {root.name}"
        decode_images(index, folder, size=16, interpolation="bilinear", workers=1, on_error="raise")
        found.append(open_images(folder, 100))
    assert found[0].ids == found[1].ids
    assert len(found[0].ids) == 9
    assert np.array_equal(found[0].pixels_NHWC, found[1].pixels_NHWC)


def test_damaged_devkit_archive(root: Path) -> None:
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz"):
        pass
    message = r"devkit_t12.tar.gz: holds no ILSVRC2012_validation_ground_truth.txt and no meta.mat"
    with pytest.raises(DataError, match=message):
        imagenet(root)


def test_validation_image_of_no_class_is_left_out(root: Path) -> None:
    write_kaggle(root / "LOC_val_solution.csv")
    lines = (root / "LOC_val_solution.csv").read_text().splitlines(keepends=True)
    (root / "LOC_val_solution.csv").write_text("".join(lines[:-1]))
    left_out = imagenet(root).left_out
    assert [(file.id, file.reason) for file in left_out] == [
        ("val/ILSVRC2012_val_00000001.JPEG", "its class is not known")
    ]


def test_damaged_truth(root: Path) -> None:
    with pytest.raises(DataError, match=r"no file says their classes; put LOC_val_solution.csv"):
        imagenet(root)
    write_kit(root)
    truth = root / "ILSVRC2012_validation_ground_truth.txt"
    text = truth.read_text()
    truth.write_text("1\n5000\n")
    with pytest.raises(DataError, match=r"ground_truth.txt, line 2: '5000' is not the number"):
        imagenet(root)
    truth.write_text(text)
    (root / "meta.mat").write_bytes(b"MATLAB? no")
    with pytest.raises(DataError, match=r"meta.mat: cannot be read"):
        imagenet(root)
    (root / "meta.mat").unlink()
    with pytest.raises(DataError, match=r"meta.mat: no such file"):
        imagenet(root)
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nx,\n")
    with pytest.raises(DataError, match=r"LOC_val_solution.csv, line 2: expected an image and"):
        imagenet(root)
    write_kaggle(root / "LOC_val_solution.csv", ["n0"] * 1000)
    with pytest.raises(DataError, match=r"val: there is no image of class 'n\d+'"):
        imagenet(root)


def test_absent_or_incomplete_set(tmp_path: Path) -> None:
    message = r"holds neither the folder train nor ILSVRC2012_img_train.tar; get ILSVRC2012_img_tr"
    with pytest.raises(DataError, match=message):
        imagenet(tmp_path)
    touch(tmp_path / "train" / "n1", 1)
    with pytest.raises(DataError, match=r"holds neither the folder val nor ILSVRC2012_img_val.tar"):
        imagenet(tmp_path)
    touch(tmp_path / "val", 1)
    with pytest.raises(DataError, match=r"train holds 1 classes, not 1000; .*\"folder\""):
        imagenet(tmp_path)
