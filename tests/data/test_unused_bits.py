"""Images of a camera's 12 bits in files of 16."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import folder, gray, save
from PIL import Image

from mixqual.config import DataConfig
from mixqual.data import decode_images
from mixqual.data.survey import survey
from mixqual.data.unused_bits import unused_bits
from mixqual.data_check import check_data
from mixqual.images import Embedded, examine


def deep(most: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, most, (40, 40), np.uint16)
    values[3, 4] = most
    return Image.fromarray(values)


@given(st.integers(0, 65535))
def test_spare_bits_are_those_above_the_largest_number(most: int) -> None:
    data = b"P5 2 1 65535\n" + bytes([0, 0, *divmod(most, 256)])
    found = examine(Embedded("file", 0, len(data), lambda _: data))[1]
    assert found.spare_bits == f"{most:016b}1".index("1")


def test_only_images_of_16_bits_have_spare_bits(tmp_path: Path) -> None:
    assert examine(save(gray(), tmp_path / "x.png"))[1].spare_bits is None
    # Of colour, those of the largest of all colours.
    pixels = np.full((3, 3, 3), (7, 4095, 100), ">u2")
    (tmp_path / "x.ppm").write_bytes(b"P6 3 3 65535\n" + pixels.tobytes())
    assert examine(tmp_path / "x.ppm")[1].spare_bits in (None, 4)


@pytest.mark.parametrize(
    ("most", "bits", "levels"), [(1023, 10, 4), (4095, 12, 16), (16383, 14, 64)]
)
def test_a_warning_says_what_is_left_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], most: int, bits: int, levels: int
) -> None:
    for number in range(4):
        save(deep(most - number, number), tmp_path / "set" / "ab"[number % 2] / f"{number}.png")
    save(gray(), tmp_path / "set" / "a" / "plain.png")
    index = folder(tmp_path / "set")
    expected = (
        f"4 images have 16 bits, of which they use the lower {bits} only (no number is past {most} "
        f"of 65535), as from a camera of {bits} bits: all are dark, and {levels} of 256 gray "
        f"levels are left of them; multiply their numbers by {2 ** (16 - bits)} and save them anew"
    )
    config = DataConfig(source="folder", path=str(tmp_path / "set"), size=16)
    assert expected in check_data(config)["warnings"]
    settings = {"size": 16, "interpolation": "bilinear", "workers": 1, "on_error": "raise"}
    decode_images(index, tmp_path / "decoded", **settings)
    assert f"warning: {expected}" in capsys.readouterr().err.replace("\n", " ")
    # The remedy mends it.
    for path in (tmp_path / "set").rglob("[0-9].png"):
        values = np.asarray(Image.open(path)).astype(np.uint16) * 2 ** (16 - bits)
        save(Image.fromarray(values.astype(np.uint16)), path)
    assert unused_bits(survey(folder(tmp_path / "set")).spare_bits) == ""


def test_one_bright_image_among_the_dark_is_enough() -> None:
    assert unused_bits([4, None, 5]).startswith("2 images have 16 bits, of which they use")
    assert (
        unused_bits([4, 0, 5]) == unused_bits([1]) == unused_bits([None]) == unused_bits([]) == ""
    )
    assert unused_bits([16, 16]) == ""  # all black
