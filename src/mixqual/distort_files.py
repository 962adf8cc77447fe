"""Distorted copies of image files: of one distortion or several, or in the layout of ImageNet-C."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torchvision.transforms import functional

from mixqual.artifacts import read_json, refusing_full_disk, write_atomically, write_json
from mixqual.config import GrayscaleNoise
from mixqual.data import all_grayscale
from mixqual.data.copies import originals
from mixqual.distortions import distortion, image_keys
from mixqual.errors import DataError, DistortionError, StudyError
from mixqual.imagenet_c import IMAGE_SIZE, NAMES, SEVERITIES, at_size, corruption
from mixqual.images import Unreadable, read_image
from mixqual.progress import progress

_SETTINGS = "imagenet_c.json"
_MADE_BY = ("Software", "mixqual distort")
"""What a copy says of itself, so that it can be told from the images of a person."""
_QUALITY = 85  # of ImageNet-C's own files


def distort_files(
    source: Path, target: Path, steps: Sequence[tuple[str, float]], *, seed: int = 0
) -> tuple[int, list[tuple[Path, str]]]:
    """Write PNG copies of an image, or of every image below a folder, with distortions applied.

    `steps` are names and levels, applied in order to 8-bit pixels. Folders keep their structure;
    hidden files are ignored, links followed. Returns how many images were written, and the files
    that were left out, with reasons. Raises `DataError` if the source is missing or holds no image,
    if a file would be overwritten that is no earlier copy, or if the target lies inside of the
    source or around it.
    """
    kinds = [(distortion(name), level) for name, level in steps]
    found = originals(source)
    named = source.is_file() and target.suffix.lower() == ".png"
    copies = [(path, target if named else target / place) for path, place in found.places(".png")]
    found.check_around(target)
    found.check_copies(target, (copy for _, copy in copies))
    for _, copy in copies:
        if os.path.lexists(copy) and not _is_copy(copy):
            raise DataError(
                f"{copy} is there already, and is no copy that mixqual has made; choose another "
                "place to write to"
            )
    written, left_out = 0, list(found.left_out)
    for path, copy in copies:
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
        plain = images_BCHW[0, 0] if gray else images_BCHW[0].permute(1, 2, 0)
        _write(copy, plain.contiguous().numpy(), lossless=True)
        written += 1
    return written, left_out


def _is_copy(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return not path.is_symlink() and image.info.get(_MADE_BY[0]) == _MADE_BY[1]
    except Exception:  # a file of another kind, or a damaged one
        return False


def write_imagenet_c(
    source: Path,
    target: Path,
    *,
    names: Sequence[str] = NAMES,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    size: int = IMAGE_SIZE,
    lossless: bool = False,
    grayscale_noise: str = "sensor",
) -> tuple[int, list[tuple[Path, str]]]:
    """Write TARGET/NAME/SEVERITY/CLASS/IMAGE for every image below a folder, as ImageNet-C has it.

    As there, images become RGB, their shorter side `size` * 256 / 224 and their centre a square of
    `size`, and files are JPEG of quality 85, so that published numbers can be compared: that
    compression is a part of the benchmark. `lossless` writes PNG instead, the exact pixels of the
    distortions. Levels in pixels are those for 224, in proportion to `size`. Each file's pixels
    depend on its image, name, severity and `seed` alone; severities share their random numbers.
    If all images are grayscale, though, and `grayscale_noise` is "sensor" (the other choice is
    "independent"), noise is the same in all channels of their copies.

    Files that are there already are kept and not made again, so that a run that was killed goes on;
    `imagenet_c.json` in the target holds what they were made with. Returns how many images have all
    their copies, and the files that were left out, with reasons. Raises `DistortionError` for an
    unknown name, severity or `grayscale_noise`, and `DataError` if the source is missing or holds
    no image, or if the target lies inside of it, is no folder or was written with other settings.
    """
    wanted = list(dict.fromkeys(product(names, severities)))
    if not wanted or size < 1:
        raise DistortionError(
            "ImageNet-C: give one name, one severity and a size of 1 pixel at least, "
            f"not {list(names)}, {list(severities)} and {size}"
        )
    for name, severity in wanted:
        corruption(name, severity)
    if grayscale_noise not in get_args(GrayscaleNoise):
        known = " or ".join(f'"{value}"' for value in get_args(GrayscaleNoise))
        raise DistortionError(f"grayscale_noise is {known}, not {grayscale_noise!r}")
    found = originals(source)
    places = found.places(".png" if lossless else ".jpg")
    folders = [target / name / str(severity) for name, severity in wanted]
    found.check_copies(target, (folder / place for _, place in places for folder in folders))
    gray = grayscale_noise == "sensor" and all_grayscale([path for path, _ in places])
    settings = {"seed": seed, "size": size, "lossless": lossless, "mixqual": version("mixqual")}
    _claim(target, settings | ({"gray": True} if gray else {}))
    complete, left_out = 0, list(found.left_out)
    with (
        progress("imagenet-c", len(places), "images") as advance,
        ThreadPoolExecutor(thread_name_prefix="imagenet-c") as writers,
    ):
        for path, place in places:
            copies = {step: target / step[0] / str(step[1]) / place for step in wanted}
            missing = {step: copy for step, copy in copies.items() if not copy.exists()}
            try:
                image_1CHW = _square(read_image(path), size) if missing else torch.empty(0)
            except Unreadable as error:
                left_out.append((path, str(error)))
                advance(1)
                continue
            jobs: list[Future[None]] = []
            for name in dict.fromkeys(name for name, _ in missing):
                levels = [severity for other, severity in missing if other == name]
                for severity, pixels_HWC in _corrupted(image_1CHW, name, levels, seed, gray):
                    copy = missing[name, severity]
                    jobs.append(writers.submit(_write, copy, pixels_HWC, lossless))
            for job in jobs:
                job.result()
            complete += 1
            advance(1)
    return complete, left_out


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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"{folder} is no folder; choose another to write to") from None


def _claim(target: Path, settings: Mapping[str, Any]) -> None:
    """Note what the files of a folder are made with; refuse one that was made with another."""
    note = target / _SETTINGS
    if note.exists():
        found = read_json(note)
        if found != settings:
            raise DataError(
                f"{target} was written with {found}, not {dict(settings)}; "
                "choose another folder, or delete this one"
            )
        return
    with refusing_full_disk(note):
        _make_folder(target)
    write_json(note, dict(settings))


def _square(image: Image.Image, size: int) -> Tensor:
    """The centre of an image as ImageNet-C crops it: uint8 (1, 3, size, size)."""
    resized = functional.resize(image.convert("RGB"), [round(size * 256 / IMAGE_SIZE)])
    square_CHW: Tensor = functional.pil_to_tensor(functional.center_crop(resized, [size, size]))
    return square_CHW[None]


def _corrupted(
    image_1CHW: Tensor, name: str, severities: Sequence[int], seed: int, gray: bool
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Corrupt an image at several severities, together where they are levels of one distortion."""
    keys_1, size = image_keys(image_1CHW), image_1CHW.shape[-1]
    together: dict[tuple[str, str], list[int]] = {}
    for severity in severities:
        mapped = corruption(name, severity)
        together.setdefault((mapped.distortion, repr(mapped.options)), []).append(severity)
    for group in together.values():
        steps = [at_size(name, severity, size, gray=gray) for severity in group]
        images_BCHW = steps[0][0](
            image_1CHW.repeat(len(steps), 1, 1, 1),
            torch.tensor([level for _, level in steps], dtype=torch.float64),
            seed=seed,
            keys_B=keys_1.repeat(len(steps)),
        )
        yield from zip(group, images_BCHW.permute(0, 2, 3, 1).contiguous().numpy(), strict=True)


def _write(copy: Path, pixels_HWC: NDArray[np.uint8], lossless: bool) -> None:
    file = BytesIO()
    image = Image.fromarray(pixels_HWC)
    if lossless:
        facts = PngInfo()
        facts.add_text(*_MADE_BY)
        image.save(file, "PNG", pnginfo=facts)
    else:
        image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    with refusing_full_disk(copy):
        _make_folder(copy.parent)
    write_atomically(copy, file.getvalue())
