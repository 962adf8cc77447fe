"""Limits on decoding against libjpeg, Pillow and files that are made to be dear."""

import io
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import gray, rgb, save
from PIL import Image

from mixqual.bench.hostile import flat_png, many_scans, one_tile
from mixqual.images import TooLarge, decode, examine, read_header, read_image
from mixqual.images.limits import check_scans


def jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    rgb().save(file, "JPEG", **options)
    return file.getvalue()


def within(content: bytes, pixels: int) -> bool:
    try:
        check_scans(content, pixels)
    except TooLarge:
        return False
    return True


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (many_scans(3000, side=64), r"300\d scans of 4096 pixels exceed the limit of 100"),
        (flat_png(1, 70_000), "1 x 70000 pixels: a side exceeds the limit of 65535; cut"),
        (flat_png(70_000, 1), "70000 x 1 pixels: a side exceeds the limit of 65535; cut"),
        (flat_png(6000, 6000), r"6000 x 6000 pixels in \d+ bytes: more than 256 for each byte"),
        (one_tile(5008), "its tiles of 25080064 pixels exceed the image"),
    ],
)
def test_what_would_cost_too_much_is_refused_at_once(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    start = time.process_time()
    for read in (read_image, examine):
        with pytest.raises(TooLarge, match=message):
            read(path)
    if "scans" not in message:  # those are not in the header
        with pytest.raises(TooLarge, match=message):
            read_header(path)
    assert time.process_time() - start < 0.2


@pytest.mark.parametrize(
    "content",
    [many_scans(90, side=64), flat_png(4000, 4000), flat_png(65_535, 2), one_tile(256)],
)
def test_what_costs_little_is_decoded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with Image.open(path) as image:
        assert read_image(path).size == image.size
        assert read_image(path).getextrema() == image.getextrema()


@given(st.integers(1, 300), st.integers(0, 3))
def test_scans_are_counted_as_they_were_made(scans: int, previews: int) -> None:
    """Whatever previews hold in comments before them, and another image behind them."""
    content = many_scans(scans, side=16)
    before = many_scans(1, side=16).count(b"\xff\xda") - 1
    preview = many_scans(400, side=16)[:60_000]
    comments = b"\xff\xfe" + (len(preview) + 2).to_bytes(2, "big") + preview
    whole = content[:2] + comments * previews + content[2:] + many_scans(400, side=16)
    assert within(whole, 256) is (before + scans <= 100)


@pytest.mark.parametrize("side", [400, 7000])
def test_large_images_may_have_fewer_scans(side: int) -> None:
    """But always more than the ten that progressive files have."""
    content = many_scans(60, side=16)
    assert within(content, side**2) is (side == 400)
    assert within(jpeg(progressive=True), 89_478_485)


def test_cut_and_damaged_files_are_no_reason_to_look_further() -> None:
    content = many_scans(200, side=16)
    for length in range(2, len(content), 97):
        within(content[:length], 256)


def test_sixteen_bits_are_rounded_to_the_nearest(tmp_path: Path) -> None:
    values = np.tile(np.arange(0, 2**16, 97, np.uint16), (130, 1))
    path = save(Image.fromarray(values), tmp_path / "x.png")
    found = np.asarray(read_image(path))
    assert np.array_equal(found, np.rint(values / 65535 * 255).astype(np.uint8))


def test_sixteen_bits_take_no_copy_of_eight_bytes_a_pixel(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (1000, 1000), np.uint16)
    path = save(Image.fromarray(values), tmp_path / "x.tiff")
    tracemalloc.start()
    try:
        read_image(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * values.size


def test_pixels_are_hashed_only_where_hashes_are_asked_for(tmp_path: Path) -> None:
    path = save(gray(), tmp_path / "x.png")
    assert "update" in called(lambda: examine(path))
    assert "update" not in called(lambda: decode(path, 32, "bilinear", 3))


def called(function: Callable[[], object]) -> set[str]:
    """The names of all functions in C that it calls."""
    names = set()

    def note(_: object, event: str, what: Any) -> None:
        if event == "c_call":
            names.add(what.__name__)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return names
