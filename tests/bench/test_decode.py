"""On so few files that its ratios mean nothing: that all sides decode the same pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mixqual.bench import decode
from mixqual.bench.pictures import write_pictures
from mixqual.data import open_images


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_SMALL", 6), ("_LARGE", 4), ("_LARGE_SIZE", (1280, 1280))):
        monkeypatch.setattr(decode, name, value)
    monkeypatch.setattr(decode, "_REPETITIONS", 1)


def test_it_runs_and_says_what() -> None:
    found = decode.measure()
    assert [(ratio.what, ratio.against.split()[0]) for ratio in found] == [
        *(
            (f"decoding {files}", peer)
            for files in (
                "6 PNG files of 300 x 300 pixels",
                "4 JPEG files of 1280 x 1280 pixels",
                "4 JPEG files of 1280 x 1280 pixels at a reduced scale",
            )
            for peer in ("torchvision:", "Pillow,")
        ),
        ("a later epoch of 6 PNG files of 300 x 300 pixels", "torchvision:"),
    ]
    for ratio in found:
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert ratio.settings.startswith("to 224 pixels, 2 threads or processes")


@pytest.mark.parametrize(("suffix", "side"), [("png", 300), ("jpg", 1280)])
def test_all_sides_decode_the_same(tmp_path: Path, suffix: str, side: int) -> None:
    """Squares, which the peers do not cut off, come to the same pixels but at a reduced scale."""
    root = write_pictures(tmp_path / "in", 4, (side, side), suffix)
    ours = {}
    for fast_jpeg in (False, True):
        decode._decode_into(root, tmp_path / f"out{fast_jpeg}", fast_jpeg=fast_jpeg)
        ours[fast_jpeg] = open_images(tmp_path / f"out{fast_jpeg}", 64).pixels_NHWC.astype(int)
    np.testing.assert_array_equal(ours[False], np.stack(decode._with_pillow(root)))
    theirs_NCHW = torch.cat(decode._with_torchvision(root))
    np.testing.assert_array_equal(ours[False], theirs_NCHW.permute(0, 2, 3, 1))
    difference = np.abs(ours[True] - ours[False])
    assert (difference.max() > 0) == (suffix == "jpg")
    assert difference.mean() < 1
