from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from small_elpv import cell

import mixqual
from mixqual.distort_files import parse_steps
from mixqual.errors import DataError, StudyError

BLUR, NOISE = ("gaussian_blur", 3.0), ("gaussian_noise", 20.0)


def photographs(root: Path) -> Path:
    """A gray and a coloured image, the latter two folders down."""
    (root / "a" / "b").mkdir(parents=True)
    Image.fromarray(cell(0, 0, 50)).save(root / "one.png")
    colour = np.stack([cell(label, 1, 60)[:40] for label in range(3)], axis=-1)
    Image.fromarray(colour).save(root / "a" / "b" / "two.PNG")
    return root


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def distorted(plain: np.ndarray, steps: list[tuple[str, float]], seed: int) -> np.ndarray:
    images_BCHW = torch.from_numpy(np.atleast_3d(plain).copy()).permute(2, 0, 1)[None]
    for name, level in steps:
        levels_B = torch.tensor([level], dtype=torch.float64)
        images_BCHW = mixqual.distortion(name)(images_BCHW, levels_B, seed=seed)
    return images_BCHW[0].permute(1, 2, 0).numpy().reshape(plain.shape)


@pytest.mark.parametrize("steps", [[BLUR], [NOISE], [BLUR, NOISE], [NOISE, BLUR]])
def test_pixels_are_those_of_the_distortion(tmp_path: Path, steps: list[tuple[str, float]]) -> None:
    source = photographs(tmp_path / "in")
    assert mixqual.distort(source, tmp_path / "out", steps, seed=4) == (2, [])
    for name, copy in (("one.png", "one.png"), ("a/b/two.PNG", "a/b/two.png")):
        plain, found = pixels(source / name), pixels(tmp_path / "out" / copy)
        np.testing.assert_array_equal(found, distorted(plain, steps, seed=4))
        assert found.dtype == np.uint8
        assert not np.array_equal(found, plain)


def test_blur_of_a_file_is_scipy_s(tmp_path: Path) -> None:
    Image.fromarray(cell(2, 0, 64)).save(tmp_path / "x.png")
    mixqual.distort(tmp_path / "x.png", tmp_path / "y.png", [BLUR])
    expected = gaussian_filter(cell(2, 0, 64).astype(float), 3, mode="reflect", truncate=4)
    assert np.abs(pixels(tmp_path / "y.png") - expected).max() <= 0.501


def test_level_zero_copies_the_pixels(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    steps = [("gaussian_noise", 0.0), ("gaussian_blur", 0.0)]
    mixqual.distort(source, tmp_path / "out", steps)
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "one.png"), pixels(source / "one.png"))


def test_the_noise_of_a_file_depends_on_its_seed_and_pixels_alone(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    mixqual.distort(source, tmp_path / "all", [NOISE], seed=1)
    mixqual.distort(source / "one.png", tmp_path / "alone", [NOISE], seed=1)
    mixqual.distort(source / "one.png", tmp_path / "other", [NOISE], seed=2)
    alone = pixels(tmp_path / "alone" / "one.png")
    np.testing.assert_array_equal(pixels(tmp_path / "all" / "one.png"), alone)
    assert not np.array_equal(pixels(tmp_path / "other" / "one.png"), alone)


def test_every_image_gets_a_copy_of_its_own(tmp_path: Path) -> None:
    for name in ("x.png", "x.bmp"):
        Image.fromarray(cell(0, 0, 20)).save(tmp_path / name)
    assert mixqual.distort(tmp_path, tmp_path / "out", [BLUR])[0] == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.png", "x.png.png"}


def test_unreadable_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    (source / "bad.jpg").write_text("words")
    (source / "notes.txt").write_text("not an image, and not said to be one")
    written, left_out = mixqual.distort(source, tmp_path / "out", [BLUR])
    assert written == 2
    ((path, reason),) = left_out
    assert path == source / "bad.jpg"
    assert reason


def test_refuses_what_would_destroy_or_cannot_be(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    before = (source / "one.png").read_bytes()
    with pytest.raises(DataError, match="would be overwritten"):
        mixqual.distort(source, source, [BLUR])
    assert (source / "one.png").read_bytes() == before
    with pytest.raises(DataError, match="no such file or folder"):
        mixqual.distort(tmp_path / "none", tmp_path / "out", [BLUR])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        mixqual.distort(tmp_path / "empty", tmp_path / "out", [BLUR])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="is no folder"):
        mixqual.distort(source, tmp_path / "file", [BLUR])


def test_steps_are_parsed() -> None:
    assert parse_steps(["gaussian_blur=4", "fog=1e-1"]) == [("gaussian_blur", 4.0), ("fog", 0.1)]
    for text in ("gaussian_blur", "gaussian_blur=", "gaussian_blur=x", "="):
        with pytest.raises(StudyError, match="write name=level"):
            parse_steps([text])
