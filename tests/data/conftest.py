"""Fixtures of the tests of `mixqual.data`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import folder, gray, save

from mixqual.data import DecodedImages, decode_images, open_images

Decode = Callable[..., DecodedImages]


@pytest.fixture(autouse=True)
def forgetful(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is remembered of files from one test to the next; the folder of what is."""
    folder = tmp_path_factory.mktemp("remembered")
    monkeypatch.setenv("MIXQUAL_CACHE", str(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clean folder: three grayscale images in each of the classes a and b."""
    for name in ("a", "b"):
        for number in range(3):
            save(gray(number), tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def decode_folder(tmp_path: Path) -> Decode:
    """Index, decode and open a folder."""

    def run(
        root: Path, *, on_error: str = "raise", budget: int = 64, size: int = 32, workers: int = 2
    ) -> DecodedImages:
        decode_images(
            folder(root),
            tmp_path / "cache",
            size=size,
            interpolation="bilinear",
            workers=workers,
            on_error=on_error,
        )
        return open_images(tmp_path / "cache", budget)

    return run
