import os
from pathlib import Path

import numpy as np
import pytest
from image_files import folder, gray, save

from mixqual.data import ImageIndex, changed_contents, decode_images
from mixqual.data import contents as module

LONG_AGO = 10**18


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        for number in range(3):
            save(gray(number, 6), tmp_path / "images" / name / f"{number}.bmp")
    return tmp_path / "images"


def decoded(root: Path, out: Path, on_error: str = "raise") -> ImageIndex:
    index = folder(root)
    decode_images(index, out, size=16, interpolation="bilinear", workers=1, on_error=on_error)
    return index


def look(root: Path, *folders: Path) -> str | None:
    return changed_contents(folder(root), folders, folders)


def replace(path: Path, keep_time: bool = False) -> None:
    """Another image of equal size, as a better scan of the same part would be."""
    size, before = path.stat().st_size, path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(255 - byte for byte in content[-4:]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == size


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_file_replaced_at_equal_size_is_seen(
    root: Path, tmp_path: Path, keep_time: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = decoded(root, tmp_path / "images-1").fingerprint()
    assert look(root, tmp_path / "images-1") is None
    replace(root / "a" / "1.bmp", keep_time)
    assert folder(root).fingerprint() == before  # keys alone do not tell
    assert look(root, tmp_path / "images-1") is not None
    assert "1 of 6 images have changed since they were decoded" in capsys.readouterr().err


def test_every_content_has_a_hash_of_its_own(root: Path, tmp_path: Path) -> None:
    decoded(root, tmp_path / "images-1")
    contents = (root / "a" / "1.bmp").read_bytes()
    replace(root / "a" / "1.bmp")
    first = look(root, tmp_path / "images-1")
    replace(root / "a" / "2.bmp")
    both = look(root, tmp_path / "images-1")
    assert len({None, first, both}) == 3
    replace(root / "a" / "2.bmp")  # back again
    assert look(root, tmp_path / "images-1") == first
    (root / "a" / "1.bmp").write_bytes(contents)
    assert look(root, tmp_path / "images-1") is None


def test_copied_or_touched_files_are_the_same(root: Path, tmp_path: Path) -> None:
    decoded(root, tmp_path / "images-1")
    for path in root.rglob("*.bmp"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert look(root, tmp_path / "images-1") is None


def test_what_has_not_been_touched_is_not_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLED", 0)  # they are younger than two seconds
    decoded(root, tmp_path / "images-1")
    read: list[object] = []

    def noted(path: object) -> str:
        read.append(path)
        return "?"

    monkeypatch.setattr(module, "hash_or_none", noted)
    assert look(root, tmp_path / "images-1") is None
    assert read == []
    replace(root / "b" / "0.bmp")
    assert look(root, tmp_path / "images-1") is not None
    assert read == [root / "b" / "0.bmp"]


def test_notes_that_are_lost_or_damaged_cost_a_look_only(root: Path, tmp_path: Path) -> None:
    decoded(root, tmp_path / "images-1")
    for content in (b"", b"{}", b"[1]", b'{"stamps": {"a/0.bmp": [1]}, "left_out": {}}', None):
        notes = tmp_path / "images-1" / "files.notes"
        notes.unlink() if content is None else notes.write_bytes(content)
        assert look(root, tmp_path / "images-1") is None
        replace(root / "a" / "0.bmp")
        assert look(root, tmp_path / "images-1") is not None
        replace(root / "a" / "0.bmp")


def test_a_file_that_was_left_out_and_is_mended_is_seen(root: Path, tmp_path: Path) -> None:
    path = root / "a" / "1.bmp"
    whole = path.read_bytes()
    path.write_bytes(b"?" * len(whole))
    decoded(root, tmp_path / "images-1", "skip")
    assert look(root, tmp_path / "images-1") is None
    path.write_bytes(whole)
    assert look(root, tmp_path / "images-1") is not None


def test_without_decoded_images_nothing_has_changed(root: Path, tmp_path: Path) -> None:
    assert look(root) is None
    assert look(root, tmp_path / "images-none") is None


def test_images_of_another_run_that_differ_are_seen(root: Path, tmp_path: Path) -> None:
    decoded(root, tmp_path / "images-1")
    replace(root / "a" / "0.bmp")
    decoded(root, tmp_path / "images-2")
    index, (here, other) = folder(root), (tmp_path / "images-2", tmp_path / "images-1")
    assert changed_contents(index, [here], [here]) is None
    assert changed_contents(index, [here, other], [here]) is not None
    assert changed_contents(index, [here], [here], [{"a/0.bmp": "another"}]) is not None
    assert np.load(here / "images.npy").shape[0] == 6
