"""The images below a folder; the walk itself is tested with folders of classes."""

import os
import subprocess
from pathlib import Path

import pytest

from mixqual.config import DataConfig
from mixqual.data import index_images
from mixqual.errors import DataError
from mixqual.images.walking import image_files


def test_images_at_any_depth_by_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c/d.tif", ".hidden/e.png", "._b.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "back").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)]
    assert found == ["a.JPG", "b.png", "c/d.tif"]


def nested(root: Path, levels: int) -> None:
    """Folders in each other, with an image in the innermost; the path may be past all limits."""
    place = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(os.open("a.png", os.O_CREAT, dir_fd=place))
    os.close(place)


@pytest.mark.parametrize("levels", [101, 1500])
def test_folders_in_each_other_without_end_are_refused(tmp_path: Path, levels: int) -> None:
    (tmp_path / "images" / "class").mkdir(parents=True)
    (tmp_path / "images" / "other").mkdir()
    nested(tmp_path / "images" / "class", levels)
    with pytest.raises(DataError, match=r"images/class: folders lie .* more than 100 deep"):
        list(image_files(tmp_path / "images" / "class"))
    data = DataConfig(source="folder", path=str(tmp_path / "images"))
    with pytest.raises(DataError, match=r"more than 100 deep"):
        index_images(data, 0)
    subprocess.run(["rm", "-rf", tmp_path / "images"], check=True)  # pytest cannot


def test_folders_in_each_other_are_walked(tmp_path: Path) -> None:
    nested(tmp_path, 100)
    assert [path.name for path in image_files(tmp_path)] == ["a.png"]


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="the folder holds no image"):
        list(image_files(tmp_path))
