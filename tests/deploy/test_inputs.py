"""One photograph in every form that a program may have it in."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_elpv import cell

from mixqual.deploy.inputs import Source, batch_of, pixels_of, refuse_fractions
from mixqual.errors import DataError
from mixqual.images import decode

SIZE, FILTER = 32, "bicubic"


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(cell(1, 2, 48)).convert("RGB")


@pytest.fixture
def file(tmp_path: Path, image: Image.Image) -> Path:
    image.save(tmp_path / "cell.png")
    return tmp_path / "cell.png"


def test_every_form_gives_the_pixels_of_training(file: Path, image: Image.Image) -> None:
    expected = decode(file, SIZE, FILTER, 3)
    array_HWC = np.asarray(image)
    forms: list[Source] = [
        file,
        str(file),
        file.read_bytes(),
        image,
        image.convert("L"),
        array_HWC,
        array_HWC[..., :1],
        array_HWC[..., 0].astype(np.float64),
        torch.from_numpy(array_HWC.copy()).permute(2, 0, 1),
        torch.from_numpy(array_HWC[..., 0].copy())[None].float(),
    ]
    for form in forms:
        np.testing.assert_array_equal(pixels_of(form, SIZE, FILTER), expected)
    assert batch_of([expected, expected]).shape == (2, 3, SIZE, SIZE)
    np.testing.assert_array_equal(batch_of([expected])[0, 1], expected[..., 1])


def test_exif_counts_as_in_training() -> None:
    size = 28  # whose margins are equal on all sides
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(cell(0, 0, 48)).save(turned, "JPEG", quality=95, exif=exif)
    upright = io.BytesIO()
    Image.fromarray(cell(0, 0, 48)).save(upright, "JPEG", quality=95)
    pixels_HWC = pixels_of(turned.getvalue(), size, FILTER).astype(int)
    expected_HWC = pixels_of(upright.getvalue(), size, FILTER)
    assert np.abs(pixels_HWC[::-1, ::-1] - expected_HWC).max() <= 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "the file is empty"),
        (b"not an image", "not an image in a known format"),
        ("nothing.png", r"nothing\.png: the file is missing"),
        (np.zeros((4, 4, 2), np.uint8), r"1 or 3 channels, not the shape \(4, 4, 2\)"),
        (np.zeros((2, 2, 4, 3), np.uint8), "is that of a batch of images; give them one by one"),
        (np.zeros((0, 4), np.uint8), "1 or 3 channels"),
        (np.full((4, 4), 256.0), "must lie in 0...255, but they span 256...256"),
        (np.full((4, 4), np.nan), "must lie in 0...255"),
        (torch.full((3, 4, 4), -1), "must lie in 0...255"),
        (np.full((4, 4), "x"), "numbers in 0...255, not <U1"),
        (np.full((4, 4), 0.5), "end at 0.5, as if 1 were white; multiply them by 255"),
        (torch.eye(4)[None], "end at 1, as if 1 were white; multiply them by 255"),
        (Image.new("F", (4, 4), 0.5), "floating-point pixels have no known range"),
    ],
)
def test_what_is_no_image_is_refused(source: Source, message: str) -> None:
    with pytest.raises(DataError, match=message):
        pixels_of(source, SIZE, FILTER)


@pytest.mark.parametrize(
    "source", [np.zeros((40, 40), np.float32), np.ones((40, 40), np.uint8), np.full((40, 40), 1.01)]
)
def test_dark_images_on_the_right_scale_are_taken(source: Source) -> None:
    assert pixels_of(source, SIZE, FILTER).max() <= 1


def test_batches_of_fractions_are_refused() -> None:
    images_BCHW = np.random.default_rng(0).random((2, 3, 8, 8))
    with pytest.raises(DataError, match=r"end at 0.99.*multiply them by 255"):
        refuse_fractions(images_BCHW)
    dark = (images_BCHW * 0, images_BCHW.round(), images_BCHW * 255, images_BCHW.astype(np.uint8))
    for images in (*dark, np.empty((0, 3, 8, 8)), images_BCHW - 2):
        refuse_fractions(images)


def test_an_opened_image_gives_the_pixels_of_its_path(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(cell(0, 0, 48)).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    Image.fromarray(cell(1, 0, 48).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("turned.jpg", "deep.png"):
        with Image.open(tmp_path / name) as opened:
            found = pixels_of(opened, SIZE, FILTER)
        np.testing.assert_array_equal(found, pixels_of(tmp_path / name, SIZE, FILTER))
