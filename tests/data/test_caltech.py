import re
import shutil
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sources_of_files import of_study, split_counts, touch

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, decode_images, index_images, open_images
from mixqual.errors import DataError

# Images per class of Caltech101: 8,677 in all, as is published.
_TABLE = """
    Faces 435, Faces_easy 435, Leopards 200, Motorbikes 798, accordion 55, airplanes 800,
    anchor 42, ant 42, barrel 47, bass 54, beaver 46, binocular 33, bonsai 128, brain 98,
    brontosaurus 43, buddha 85, butterfly 91, camera 50, cannon 43, car_side 123,
    ceiling_fan 47, cellphone 59, chair 62, chandelier 107, cougar_body 47, cougar_face 69,
    crab 73, crayfish 70, crocodile 50, crocodile_head 51, cup 57, dalmatian 67,
    dollar_bill 52, dolphin 65, dragonfly 68, electric_guitar 75, elephant 64, emu 53,
    euphonium 64, ewer 85, ferry 67, flamingo 67, flamingo_head 45, garfield 34, gerenuk 34,
    gramophone 51, grand_piano 99, hawksbill 100, headphone 42, hedgehog 54, helicopter 88,
    ibis 80, inline_skate 31, joshua_tree 64, kangaroo 86, ketch 114, lamp 61, laptop 81,
    llama 78, lobster 41, lotus 66, mandolin 43, mayfly 40, menorah 87, metronome 32,
    minaret 76, nautilus 55, octopus 35, okapi 39, pagoda 47, panda 38, pigeon 45, pizza 53,
    platypus 34, pyramid 57, revolver 82, rhino 59, rooster 49, saxophone 40, schooner 63,
    scissors 39, scorpion 84, sea_horse 57, snoopy 35, soccer_ball 64, stapler 45,
    starfish 86, stegosaurus 59, stop_sign 64, strawberry 35, sunflower 85, tick 49,
    trilobite 86, umbrella 75, watch 239, water_lilly 37, wheelchair 59, wild_cat 34,
    windsor_chair 56, wrench 39, yin_yang 60
"""
COUNTS = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", _TABLE)}


def caltech(source: str, path: Path, seed: int = 0, **config: object) -> ImageIndex:
    return index_images(DataConfig(source=source, path=str(path), **config), seed)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """101 classes of one image, and the background."""
    root = tmp_path / "data" / "101_ObjectCategories"
    for name in (*COUNTS, "BACKGROUND_Google"):
        touch(root / name, 1)
    return root


def test_the_papers_split_of_caltech101(tmp_path: Path) -> None:
    for name, count in COUNTS.items():
        touch(tmp_path / "101_ObjectCategories" / name, count)
    touch(tmp_path / "101_ObjectCategories" / "BACKGROUND_Google", 50)
    touch(tmp_path / "101_ObjectCategories" / "BACKGROUND_Google", 1, "tmp")
    config, index = of_study("caltech101", tmp_path)
    assert len(index.classes) == 101
    assert len(index.items) == 8677
    assert index.left_out == ()
    assert "CC BY 4.0" in index.credit
    counts = split_counts(config, index)
    assert counts["train"] == dict.fromkeys(COUNTS, 25)
    assert counts["val"] == dict.fromkeys(COUNTS, 5)
    assert counts["test"] == {name: min(50, count - 30) for name, count in COUNTS.items()}


def test_the_papers_split_of_caltech256(tmp_path: Path) -> None:
    root = tmp_path / "256_ObjectCategories"
    names = [f"{number:03}.thing" for number in range(1, 257)]
    for name in names:
        touch(root / name, 32 if name != "002.thing" else 90)
    touch(root / "257.clutter", 60)
    (root / "198.thing" / "RENAME2").write_text("#!/bin/sh")
    touch(root / "056.thing" / "greg" / "vision309", 1)
    config, index = of_study("caltech256", tmp_path)
    assert index.classes == tuple(names)
    assert {file.id: file.reason for file in index.left_out} == {
        "056.thing/greg/vision309/image_0001.jpg": "in a folder inside of its class's",
        "198.thing/RENAME2": "not an image by its suffix",
    }
    counts = split_counts(config, index)
    assert counts["train"] == dict.fromkeys(names, 25)
    assert counts["val"] == dict.fromkeys(names, 5)
    assert counts["test"] == dict.fromkeys(names, 2) | {"002.thing": 50}


def test_folder_may_lie_where_torchvision_or_unpacking_puts_it(tree: Path, tmp_path: Path) -> None:
    expected = caltech("caltech101", tree)
    assert expected.classes == tuple(sorted(COUNTS))
    assert [item.id for item in expected.items][:2] == [
        "Faces/image_0001.jpg",
        "Faces_easy/image_0001.jpg",
    ]
    assert {item.split for item in expected.items} == {None}
    fingerprint = expected.fingerprint()
    for place in ("caltech101", "caltech-101"):
        (tmp_path / place).mkdir()
        tree = tree.rename(tmp_path / place / "101_ObjectCategories")
        index = caltech("caltech101", tmp_path)
        assert index.fingerprint() == fingerprint
        assert {item.path for item in index.items} == {tree / item.id for item in index.items}
    renamed = tree.rename(tmp_path / "mine")
    assert caltech("caltech101", renamed).fingerprint() == fingerprint


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_archive_is_read_as_it_is(tree: Path, kind: str) -> None:
    touch(tree / "ant" / "inside", 1)
    (tree / "ant" / "notes.txt").touch()
    (tree / "ant" / "._image_0001.jpg").touch()
    (tree / "readme.jpg").touch()
    plain = caltech("caltech101", tree)
    expected = plain.fingerprint()
    archive = tree.parent / "101_ObjectCategories.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, tree.name)
    if kind == "zip":
        with zipfile.ZipFile(tree.parent / "caltech-101.zip", "w") as outer:
            outer.writestr("__MACOSX/caltech-101/._101_ObjectCategories.tar.gz", "x")
            outer.writestr("caltech-101/show_annotation.m", "x")
            outer.write(archive, "caltech-101/101_ObjectCategories.tar.gz")
        archive.unlink()
        archive = tree.parent / "caltech-101.zip"
    shutil.rmtree(tree)
    for path in (archive, tree.parent):
        index = caltech("caltech101", path)
        assert index.fingerprint() == expected
        assert set(index.left_out) == set(plain.left_out)
        assert len(index.left_out) == 3
    assert list(tree.parent.iterdir()) == [archive]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_images_of_an_archive_are_those_of_the_folder(tmp_path: Path, kind: str) -> None:
    """Whole photographs, decoded; and a torn one is named by its place in the archive."""
    root = tmp_path / "101_ObjectCategories"
    for number, name in enumerate(sorted(COUNTS)):
        (root / name).mkdir(parents=True)
        Image.new("RGB", (20, 16), (number, 90, 7)).save(root / name / "image_0001.jpg")
    (root / "yin_yang" / "image_0002.jpg").write_bytes(b"torn")
    archive = tmp_path / "101_ObjectCategories.tar.gz"
    with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as tar:
        tar.add(root, root.name)
    for path, folder in ((root, "plain"), (archive, "packed")):
        index = caltech("caltech101", path)
        sizes = {"size": 16, "interpolation": "bilinear", "workers": 2}
        with pytest.raises(DataError, match=r"101_ObjectCategories\S*[,/].*yin_yang/image_0002"):
            decode_images(index, tmp_path / folder, **sizes, on_error="raise")
        decode_images(index, tmp_path / folder, **sizes, on_error="skip")
    plain, packed = (open_images(tmp_path / name, 100) for name in ("plain", "packed"))
    assert np.array_equal(plain.pixels_NHWC, packed.pixels_NHWC)
    assert plain.ids == packed.ids
    assert plain.file_hashes == packed.file_hashes
    assert plain.left_out == packed.left_out


@pytest.mark.parametrize(
    "outer", ["256_ObjectCategories", "256_objectcategories", "caltech256/256_ObjectCategories"]
)
def test_kaggles_layout_of_caltech256(tmp_path: Path, outer: str) -> None:
    root = tmp_path / outer / "256_ObjectCategories"
    for number in range(1, 257):
        touch(root / f"{number:03}.thing", 1)
    touch(root / "257.clutter", 1)
    index = caltech("caltech256", tmp_path)
    assert len(index.classes) == 256
    assert index.items[0].id == "001.thing/image_0001.jpg"
    assert caltech("caltech256", tmp_path / outer).fingerprint() == index.fingerprint()


def test_torchvisions_archive_of_caltech256(tmp_path: Path) -> None:
    for number in range(1, 258):
        touch(tmp_path / "256_ObjectCategories" / f"{number:03}.thing", 1)
    (tmp_path / "256_ObjectCategories" / "257.thing").rename(
        tmp_path / "256_ObjectCategories" / "257.clutter"
    )
    (tmp_path / "data" / "caltech256").mkdir(parents=True)
    with tarfile.open(tmp_path / "data/caltech256/256_ObjectCategories.tar", "w") as tar:
        tar.add(tmp_path / "256_ObjectCategories", "256_ObjectCategories")
    index = caltech("caltech256", tmp_path / "data")
    assert Counter(item.label for item in index.items) == dict.fromkeys(range(256), 1)
    assert [path.name for path in (tmp_path / "data/caltech256").iterdir()] == [
        "256_ObjectCategories.tar"
    ]


def test_classes_are_excluded_and_drawn(tree: Path) -> None:
    kept = caltech("caltech101", tree, exclude_classes=("Faces_easy",), sample_classes=100)
    assert set(kept.classes) == COUNTS.keys() - {"Faces_easy"}
    drawn = [caltech("caltech101", tree, seed, sample_classes=10).classes for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(DataError, match=r"caltech101 has no class 'BACKGROUND_Google'"):
        caltech("caltech101", tree, exclude_classes=("BACKGROUND_Google",))


def test_absent_set_says_what_to_fetch_and_where(tmp_path: Path) -> None:
    where = tmp_path / "caltech"
    message = rf"'{where}': no such folder; fetch caltech-101.zip from data.caltech.edu .*{where}"
    with pytest.raises(DataError, match=message):
        caltech("caltech101", where)
    where.mkdir()
    message = rf"{where} holds 0 folders, not the 256 .*fetch 256_ObjectCategories.tar .*{where}"
    with pytest.raises(DataError, match=message):
        caltech("caltech256", where)


def test_incomplete_set_is_refused(tree: Path) -> None:
    shutil.rmtree(tree / "yin_yang")
    message = r"holds 100 folders, not the 101 classes of Caltech101; .*data.source = \"folder\""
    with pytest.raises(DataError, match=message):
        caltech("caltech101", tree.parent)
    (tree / "yin_yang").mkdir()
    with pytest.raises(DataError, match=r"class 'yin_yang' holds no image"):
        caltech("caltech101", tree.parent)
