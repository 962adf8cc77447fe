"""The images below a folder; the walk itself is tested with folders of classes."""

from pathlib import Path

import pytest

from mixqual.errors import DataError
from mixqual.images.walking import image_files


def test_images_at_any_depth_by_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c/d.tif", ".hidden/e.png", "._b.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "back").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)]
    assert found == ["a.JPG", "b.png", "c/d.tif"]


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="the folder holds no image"):
        list(image_files(tmp_path))
