import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import folder, gray, rgb, save
from PIL import Image

from mixqual.data import DecodedImages, ImageSet, decode_images, open_images
from mixqual.data.survey import survey
from mixqual.errors import DataError, RunError
from mixqual.images import decode, examine

Decode = Callable[..., DecodedImages]


def spoil(root: Path, count: int) -> None:
    """Add unreadable images to class a."""
    for number in range(count):
        (root / "a" / f"bad{number}.jpg").write_text("not pixels")


def test_rows_follow_the_index(root: Path, decode_folder: Decode) -> None:
    index = folder(root)
    images = decode_folder(root)
    assert images.ids == tuple(item.id for item in index.items)
    assert images.labels_N.tolist() == [item.label for item in index.items]
    assert images.labels_N.dtype == np.int64
    assert images.splits == (None,) * 6
    assert images.classes == ("a", "b")
    assert images.pixels_NHWC.shape == (6, 32, 32, 1)
    for row_HWC, item in zip(images.pixels_NHWC, index.items, strict=True):
        np.testing.assert_array_equal(row_HWC, decode(item.path, 32, "bilinear", 1))


def test_hashes_and_groups_stand_beside_the_rows(root: Path, tmp_path: Path) -> None:
    save(gray(1), root / "b" / "1.bmp")
    index = folder(root)
    grouped = replace(
        index,
        items=tuple(replace(item, group=None if n else "g") for n, item in enumerate(index.items)),
    )
    decode_images(
        grouped, tmp_path / "out", size=16, interpolation="bicubic", workers=1, on_error="raise"
    )
    images = open_images(tmp_path / "out", 1)
    assert images.groups == ("g", *[None] * 6)
    rows = {name: n for n, name in enumerate(images.ids)}
    for name, row in rows.items():
        content = examine(root / name)[1]
        assert images.file_hashes[row] == content.file_hash
        assert images.pixel_hashes[row] == content.pixel_hash
    assert images.file_hashes[rows["a/1.png"]] == images.file_hashes[rows["b/1.png"]]
    assert len(set(images.file_hashes)) == 4
    assert len(set(images.pixel_hashes)) == 3


def test_one_colour_image_makes_all_three_channels(root: Path, decode_folder: Decode) -> None:
    one_NHWC = decode_folder(root).pixels_NHWC
    save(rgb(), root / "b" / "colour.png")
    images = decode_folder(root)
    assert images.pixels_NHWC.shape == (7, 32, 32, 3)
    np.testing.assert_array_equal(images.pixels_NHWC[:6], np.repeat(one_NHWC, 3, axis=3))


def test_memory_and_memory_map_are_equal(root: Path, decode_folder: Decode, tmp_path: Path) -> None:
    held = decode_folder(root)
    mapped = open_images(tmp_path / "cache", 0)
    assert isinstance(mapped.pixels_NHWC, np.memmap)
    assert not isinstance(held.pixels_NHWC, np.memmap)
    np.testing.assert_array_equal(held.pixels_NHWC, mapped.pixels_NHWC)
    for images in (held, mapped):
        assert not images.pixels_NHWC.flags.writeable
    some = np.array([4, 1, 3])
    for left, right in zip(
        ImageSet(held, some).batch([0, 2]), ImageSet(mapped, some).batch([0, 2]), strict=True
    ):
        assert torch.equal(left, right)


def test_any_number_of_threads_writes_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(30):
            # Slow and quick ones by turns, so that threads finish out of order.
            save(
                gray(number, 20 + 400 * (number % 3 == 0)), tmp_path / "in" / name / f"{number}.png"
            )
    written = set()
    for workers in (1, 7):
        out = tmp_path / f"out{workers}"
        decode_images(
            folder(tmp_path / "in"),
            out,
            size=16,
            interpolation="bicubic",
            workers=workers,
            on_error="raise",
        )
        written.add((out / "images.npy").read_bytes() + (out / "images.json").read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_fast_jpeg_changes_large_jpeg_alone(tmp_path: Path, suffix: str) -> None:
    for name, side in (("a", 40), ("b", 400)):
        image = rgb(side=20).resize((side, side), Image.Resampling.BICUBIC)
        path = save(image, tmp_path / "in" / name / f"0.{suffix}", quality=90)
        os.utime(path, (1_000_000_000, 1_000_000_000))  # long ago: what is read is remembered
    index = folder(tmp_path / "in")
    decoded = []
    for fast_jpeg in (True, False):
        decode_images(
            index,
            tmp_path / f"out{fast_jpeg}",
            size=32,
            interpolation="bilinear",
            workers=1,
            on_error="raise",
            fast_jpeg=fast_jpeg,
        )
        decoded.append(open_images(tmp_path / f"out{fast_jpeg}", 1))
        if fast_jpeg:  # and what is remembered now is of whole pixels
            surveyed = survey(index, 1)
    fast, whole = decoded
    assert fast.file_hashes == whole.file_hashes
    np.testing.assert_array_equal(fast.pixels_NHWC[0], whole.pixels_NHWC[0])
    assert fast.pixel_hashes[0] == whole.pixel_hashes[0]
    reduced = suffix == "jpg"
    assert bool((fast.pixels_NHWC[1] != whole.pixels_NHWC[1]).any()) == reduced
    assert (fast.pixel_hashes[1] != whole.pixel_hashes[1]) == reduced
    assert tuple(surveyed.pixel_hashes) == whole.pixel_hashes


def test_raise_names_five_files_and_counts_all(root: Path, decode_folder: Decode) -> None:
    spoil(root, 7)
    with pytest.raises(DataError) as caught:
        decode_folder(root)
    message = str(caught.value)
    assert "7 of 13 images cannot be read" in message
    assert 'data.on_error = "skip"' in message
    assert message.count("not an image in a known format") == 5
    assert f"{root}/a/bad0.jpg: not an image" in message
    assert message.endswith("and 2 more")


def test_skip_leaves_out_and_lists(root: Path, decode_folder: Decode) -> None:
    spoil(root, 1)
    cut = root / "b" / "1.png"
    cut.write_bytes(cut.read_bytes()[:900])
    (root / "notes.txt").write_text("x")
    images = decode_folder(root, on_error="skip")
    assert images.ids == ("a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/2.png")
    assert images.labels_N.tolist() == [0, 0, 0, 1, 1]
    assert len(images.pixels_NHWC) == 5
    np.testing.assert_array_equal(
        images.pixels_NHWC[4], decode(root / "b" / "2.png", 32, "bilinear", 1)
    )
    left_out = [(file.id, file.reason.split(" (")[0]) for file in images.left_out]
    assert left_out == [
        ("notes.txt", "not an image by its suffix"),
        ("a/bad0.jpg", "not an image in a known format"),
        ("b/1.png", "damaged"),
    ]


def test_skip_that_empties_a_class(root: Path, decode_folder: Decode) -> None:
    for path in (root / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"class 'b' .* all 3 .*b/0.png \(the file is empty\)"):
        decode_folder(root, on_error="skip")


def test_large_image_beyond_pillows_limit(
    root: Path, decode_folder: Decode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 40)
    save(gray(side=41), root / "a" / "large.png")  # Pillow alone would only warn
    images = decode_folder(root, on_error="skip")
    assert [file.reason for file in images.left_out] == [
        "41 x 41 pixels exceed the limit of 1600; save it with fewer, such as at half its sides"
    ]


def test_full_disk(root: Path, tmp_path: Path, decode_folder: Decode) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "images.npy").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"cache: the disk is full"):
        decode_folder(root)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_unknown_interpolation(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="interpolation 'nearest' is unknown; use one of bilinear"):
        decode_images(
            folder(root),
            tmp_path,
            size=32,
            interpolation="nearest",
            workers=1,
            on_error="raise",
        )


def test_damaged_cache(root: Path, tmp_path: Path, decode_folder: Decode) -> None:
    decode_folder(root)
    pixels, table = tmp_path / "cache" / "images.npy", tmp_path / "cache" / "images.json"
    whole, listed = pixels.read_bytes(), json.loads(table.read_text())
    for content, budget in ((whole[:-1], 0), (whole[:-1], 64), (b"", 0)):
        pixels.write_bytes(content)
        with pytest.raises(RunError, match=r"images.npy is damaged"):
            open_images(tmp_path / "cache", budget)
    pixels.write_bytes(whole)
    table.write_text(json.dumps(listed | {"ids": listed["ids"][1:]}))
    with pytest.raises(RunError, match=r"images.npy does not fit images.json"):
        open_images(tmp_path / "cache", 64)
    table.unlink()
    with pytest.raises(RunError, match=r"images.json is missing"):
        open_images(tmp_path / "cache", 64)


@pytest.mark.parametrize("channels", [1, 3])
def test_batch(channels: int) -> None:
    pixels_NHWC = np.random.default_rng(0).integers(0, 256, (5, 8, 6, channels), np.uint8)
    images = DecodedImages(
        pixels_NHWC=pixels_NHWC,
        labels_N=np.array([0, 1, 2, 0, 1]),
        ids=tuple("abcde"),
        splits=(None,) * 5,
        classes=("x", "y", "z"),
        left_out=(),
        credit="",
    )
    subset = ImageSet(images, np.array([4, 2, 0]))
    assert len(subset) == 3
    assert subset.ids == ("e", "c", "a")
    assert subset.labels_N.tolist() == [1, 2, 0]
    assert subset.pixels_NHWC is pixels_NHWC
    for positions in ([2, 0], torch.tensor([2, 0])):
        images_BCHW, labels_B = subset.batch(positions)
        assert images_BCHW.dtype == torch.float32
        assert images_BCHW.is_contiguous(memory_format=torch.channels_last)
        assert labels_B.dtype == torch.int64
        assert labels_B.tolist() == [0, 1]
        expected_BHWC = np.broadcast_to(pixels_NHWC[[0, 4]], (2, 8, 6, 3))
        np.testing.assert_array_equal(images_BCHW.permute(0, 2, 3, 1).numpy(), expected_BHWC)
        images_BCHW.add_(1)  # a batch is the caller's own
    with pytest.raises(IndexError):
        subset.batch([3])
    assert subset.batch([])[0].shape == (0, 3, 8, 6)
    elsewhere_BCHW, labels_B = subset.batch([2, 0], torch.device("meta"))
    assert elsewhere_BCHW.device.type == "meta"
    assert labels_B.tolist() == [0, 1], "labels stay"
