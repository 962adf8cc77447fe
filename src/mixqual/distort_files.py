"""Distorted copies of image files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mixqual.artifacts import refusing_full_disk
from mixqual.data import Unreadable, read_image
from mixqual.data.folder import SUFFIXES
from mixqual.distortions import distortion
from mixqual.errors import DataError, StudyError


def distort_files(
    source: Path, target: Path, steps: Sequence[tuple[str, float]], *, seed: int = 0
) -> tuple[int, list[tuple[Path, str]]]:
    """Write PNG copies of an image, or of every image below a folder, with distortions applied.

    `steps` are names and levels, applied in order to 8-bit pixels. Folders keep their structure.
    Returns how many images were written, and the files that were left out, with reasons. Raises
    `DataError` if the source is missing, holds no image or would be overwritten.
    """
    kinds = [(distortion(name), level) for name, level in steps]
    written, left_out = 0, []
    for path, copy in _pairs(source, target):
        if copy.resolve() == path.resolve():
            raise DataError(f"{path} would be overwritten; choose another place to write to")
        try:
            pixels = np.array(read_image(path))
        except Unreadable as error:
            left_out.append((path, str(error)))
            continue
        gray = pixels.ndim == 2
        pixels_HWC = pixels[..., None] if gray else pixels
        images_BCHW = torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None]
        for kind, level in kinds:
            images_BCHW = kind(images_BCHW, torch.tensor([level]), seed=seed)
        with refusing_full_disk(copy):
            try:
                copy.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise DataError(f"{copy.parent} is no folder; choose another to write to") from None
            plain = images_BCHW[0, 0] if gray else images_BCHW[0].permute(1, 2, 0)
            Image.fromarray(plain.contiguous().numpy()).save(copy)
        written += 1
    if not written and not left_out:
        raise DataError(f"{source} holds no image ({', '.join(SUFFIXES)})")
    return written, left_out


def parse_steps(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Parse "gaussian_blur=4" and the like; raises `StudyError`."""
    steps = []
    for text in texts:
        name, _, level = text.partition("=")
        try:
            steps.append((name, float(level)))
        except ValueError:
            raise StudyError(
                f"--distortion {text}: write name=level, such as gaussian_blur=4"
            ) from None
    return steps


def _pairs(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Each image to read, and where its copy goes: a name of its own for every image."""
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.is_file():
        yield source, target if target.suffix.lower() == ".png" else target / f"{source.stem}.png"
        return
    taken: set[Path] = set()
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            copy = target / path.relative_to(source).with_suffix(".png")
            if copy in taken:  # a.jpg and a.png: keep the old suffix in the name of the second
                copy = copy.with_name(path.name + ".png")
            taken.add(copy)
            yield path, copy
