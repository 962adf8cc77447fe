"""Whether files are grayscale, against how they are decoded."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import folder, gray, rgb, save

from mixqual.config import DataConfig
from mixqual.data import DecodedImages, all_grayscale, has_gray_noise
from mixqual.images import Embedded

Decode = Callable[..., DecodedImages]


def png(number: int) -> bytes:
    file = io.BytesIO()
    (rgb if number == 3 else gray)(number).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "CMYK"])
def test_files_are_grayscale_if_they_are_decoded_to_one_channel(
    tmp_path: Path, decode_folder: Decode, mode: str
) -> None:
    root = tmp_path / "images"
    for name in ("a", "b"):
        save(gray(0), root / name / "0.png")
        save(gray(1), root / name / "1.png")
    suffix = ".tif" if mode == "CMYK" else ".png"
    save(gray(2).convert(mode), root / "a" / f"2{suffix}")
    paths = [item.path for item in folder(root).items]
    channels = decode_folder(root).pixels_NHWC.shape[3]
    assert all_grayscale(paths) == (channels == 1)


def test_what_cannot_be_read_does_not_count(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no pixels")
    first = save(gray(0), tmp_path / "0.png")
    assert all_grayscale([bad, first, tmp_path / "gone.png"])
    assert not all_grayscale([bad])
    assert not all_grayscale([])


def test_files_after_the_first_in_colour_are_not_read() -> None:
    asked: list[int] = []

    def read(row: int) -> bytes:
        asked.append(row)
        return png(row)

    rows = [Embedded("a table", row, len(png(row)), read) for row in range(300)]
    assert not all_grayscale(rows, workers=1)
    assert 4 <= len(set(asked)) < 20


def test_the_setting_has_the_last_word(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(gray(0), tmp_path / name / "0.png")
    index = folder(tmp_path)
    config = DataConfig(source="folder", path=str(tmp_path))
    assert has_gray_noise(config, index)
    independent = config.model_copy(update={"grayscale_noise": "independent"})
    assert not has_gray_noise(independent, index)
