import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from dirty_files import FILES, MARGIN, SIZE, DirtyFolder, make_dirty_folder
from image_files import folder, gray, save
from rich.console import Console

from mixqual.config import DataConfig
from mixqual.data import DecodedImages, decode_images
from mixqual.data_check import check_data
from mixqual.errors import DataError
from mixqual.file_names import printable
from mixqual.layout import to_markdown, to_rich
from mixqual.report.data_check import data_check_tables

Decode = Callable[..., DecodedImages]
NOBODY = 65534


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever, such as for a pipe."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> DirtyFolder:
    return make_dirty_folder(tmp_path_factory.mktemp("dirty") / "images")


def visible_files(root: Path) -> set[str]:
    return {
        str(path.relative_to(root)).encode("utf-8", "replace").decode()
        for path in root.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
        and (path.is_symlink() or not path.is_dir())
        and path.name != "back"
    }


def test_every_file_is_used_correctly_or_listed(dirty: DirtyFolder, decode_folder: Decode) -> None:
    assert sum(len(files) for _, _, files in os.walk(dirty.root)) == FILES
    assert dirty.used.keys() | dirty.refused.keys() == visible_files(dirty.root)
    with limited(300):
        images = decode_folder(dirty.root, on_error="skip", size=SIZE)
    listed = {file.id: file.reason for file in images.left_out}
    assert listed.keys() == dirty.refused.keys()
    for name, reason in dirty.refused.items():
        assert re.search(reason, listed[name]), (name, listed[name])
    assert set(images.ids) == dirty.used.keys()
    wrong = {}
    for name, row_HWC in zip(images.ids, images.pixels_NHWC, strict=True):
        whole_HWC, off = dirty.used[name]
        expected_HWC = whole_HWC[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(int)
        difference = int(np.abs(row_HWC - expected_HWC).max())
        if difference > off:
            wrong[name] = difference
    assert not wrong


def test_an_error_names_each_file_on_one_line(dirty: DirtyFolder, decode_folder: Decode) -> None:
    (dirty.root / "odd" / "0\nx.png").write_bytes(b"")
    try:
        with limited(300), pytest.raises(DataError) as caught:
            decode_folder(dirty.root, size=SIZE)
    finally:
        (dirty.root / "odd" / "0\nx.png").unlink()
    lines = str(caught.value).splitlines()
    assert len(lines) == 7
    assert r"odd/0\nx.png: the file is empty" in lines[1]


def test_the_check_reports_it_and_can_be_printed(dirty: DirtyFolder) -> None:
    with limited(300):
        first = check_data(DataConfig(source="folder", path=str(dirty.root), size=SIZE))
    reasons = {file["id"] for kind in ("unreadable", "left_out") for file in first[kind]}
    assert reasons == dirty.refused.keys()
    assert first["images"] == len(dirty.used)
    assert first["sizes"]["width"] == {"min": 1, "median": 64.0, "max": 64}
    assert first["sizes"]["odd_aspect"] == 1
    kinds = first["kinds"]
    assert (kinds["cmyk"], kinds["palette"], kinds["16_bit"]) == (2, 5, 3)
    assert (kinds["animated"], kinds["exif_turned"], kinds["transparent"]) == (6, 21, 4)
    wrong = {file["id"]: file["reason"] for file in first["wrong_suffixes"]}
    assert wrong == {
        "odd/jpeg_inside.png": "holds JPEG",
        "odd/png_inside.jpeg": "holds PNG",
        "odd/webp_inside.gif": "holds WEBP",
    }
    text = StringIO()
    for table in data_check_tables(first):
        Console(file=text, width=300).print(to_rich(table))
        text.write(to_markdown(table))
    assert not set(text.getvalue()) & {"\x1b", "\r", "\t", "\u202e"}
    assert printable("odd/line\nbreak.png") == r"odd/line\nbreak.png"


def test_files_that_change_after_they_were_listed(root: Path, tmp_path: Path) -> None:
    index = folder(root)
    (root / "a" / "0.png").unlink()
    os.mkfifo(root / "a" / "0.png")
    (root / "a" / "1.png").unlink()
    (root / "b" / "2.png").unlink()
    (root / "b" / "2.png").mkdir()
    with limited(60), pytest.raises(DataError) as caught:
        decode_images(
            index, tmp_path / "out", size=32, interpolation="bilinear", workers=2, on_error="raise"
        )
    assert str(caught.value).splitlines()[1:] == [
        f"  {root}/a/0.png: not a regular file",
        f"  {root}/a/1.png: the file is missing",
        f"  {root}/b/2.png: not a regular file",
    ]


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be somebody whom permissions bind: root is nobody for a while."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch, forgetful: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        place.chmod(0o777)
        for name in ("a", "b"):
            for number in range(2):
                save(gray(number), place / "in" / name / f"{number}.png")
        (place / "in" / "b" / "1.png").chmod(0)
        (place / "out").mkdir()
        (place / "out").chmod(0o777)
        locked = place / "locked"
        locked.mkdir(mode=0o500)
        for cache in (forgetful, locked):  # neither can be written to
            monkeypatch.setenv("MIXQUAL_CACHE", str(cache))
            with without_privileges(), pytest.raises(DataError) as caught:
                decode_images(
                    folder(place / "in"),
                    place / "out",
                    size=32,
                    interpolation="bilinear",
                    workers=2,
                    on_error="raise",
                )
            assert "in/b/1.png: cannot be read (Permission denied)" in str(caught.value)
        assert not list(locked.iterdir())
