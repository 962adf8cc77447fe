"""`mixqual data check`: the health of a set of images, before anything is trained on it.

Every file is read once, and not again until it changes. Nothing else is written, no network is
built and nothing is fetched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixqual.config import DataConfig, SplitConfig
from mixqual.counting import counted
from mixqual.data import DecodedImages, Leak, find_leaks, index_images, make_splits
from mixqual.data.files import OTHER_FORMAT
from mixqual.data.index import SPLITS
from mixqual.data.survey import Survey, survey
from mixqual.data.unused_bits import unused_bits
from mixqual.errors import DataError
from mixqual.study_file import load_study_config, make_table

_ODD_ASPECT = 2.0  # longer to shorter side: images are resized to squares
_UNBALANCED = 10.0  # images of the largest class to those of the smallest


def data_of(source: str | Path) -> tuple[DataConfig, SplitConfig | None]:
    """The images that a study file (.toml) names, with its splits; or a folder, or a manifest.

    Raises `StudyError` for a study file that is not sound.
    """
    path = Path(source)
    if path.suffix.lower() == ".toml":
        study = load_study_config(path)
        return study.data, study.split
    kind = "folder" if path.is_dir() or not path.suffix else "manifest"
    return make_table(DataConfig, str(source), source=kind, path=str(source)), None


def check_data(data: DataConfig, split: SplitConfig | None = None) -> dict[str, Any]:
    """Examine all images of a source, and return what is to be known of them as a plain dict.

    With `split` the splits are drawn as a study would, else only those that the source gives are
    looked at. `problems` are what would stop a study or spoil its results, `warnings` what may be
    meant so. Raises `DataError` if the source is missing or wrongly arranged.
    """
    index = index_images(data, split.seed if split else 0)
    found = survey(index, data.workers)
    images = found.undecoded(index)
    splits, fault = _splits(images, split)
    # Without splits, two classes can still hold the same image.
    parts = splits or {"train": np.arange(len(images.ids))}
    leaks = find_leaks(images, parts)
    report: dict[str, Any] = {
        "source": index.name,
        "images": len(images.ids),
        "splits": ("drawn" if split else "given") if splits else "none",
        "classes": _classes(images, splits),
        "sizes": _sizes(found, data.size),
        "kinds": {kind: count for kind, count in sorted(found.kinds.items()) if count},
        "formats": dict(sorted(found.formats.items())),
        "duplicates": _duplicates(images),
        "across_splits": [asdict(leak) for leak in leaks if leak.between == "splits"],
        "across_classes": [asdict(leak) for leak in leaks if leak.between == "classes"],
        "wrong_suffixes": [asdict(file) for file in found.wrong_suffixes],
        "unreadable": [asdict(file) for file in found.unreadable],
        "left_out": [asdict(file) for file in index.left_out],
    }
    report["balance"] = _balance(report["classes"])
    shared = _shared(leaks)
    refused = shared if data.on_leak == "raise" else []
    report["problems"] = [*_problems(report), *refused, *([fault] if fault else [])]
    unused = unused_bits(found.spare_bits)
    allowed = [f"{text}; they are used as they are" for text in shared if not refused]
    report["warnings"] = [*_warnings(report, data.size), *allowed, *([unused] if unused else [])]
    return report


def _splits(
    images: DecodedImages, split: SplitConfig | None
) -> tuple[dict[str, NDArray[np.int64]], str]:
    """The positions of each split's images, none if there are no splits; or why there are none."""
    if split is None:
        given = {name: [n for n, s in enumerate(images.splits) if s == name] for name in SPLITS}
        return {name: np.array(found, np.int64) for name, found in given.items() if found}, ""
    try:
        return make_splits(images, split), ""
    except DataError as error:
        return {}, str(error)


def _classes(
    images: DecodedImages, splits: dict[str, NDArray[np.int64]]
) -> list[dict[str, str | int]]:
    def per_class(positions: NDArray[np.int64]) -> list[int]:
        counts: list[int] = np.bincount(
            images.labels_N[positions], minlength=len(images.classes)
        ).tolist()
        return counts

    everything = np.arange(len(images.ids))
    columns = {"images": per_class(everything)}
    if splits:
        columns |= {name: per_class(positions) for name, positions in splits.items()}
        rest = np.setdiff1d(everything, np.concatenate(list(splits.values())))
        if len(rest):
            columns["unused"] = per_class(rest)
    return [
        {"class": name} | {column: counts[label] for column, counts in columns.items()}
        for label, name in enumerate(images.classes)
    ]


def _sizes(found: Survey, size: int) -> dict[str, Any]:
    if not found.items:
        return {}
    widths, heights = np.array(found.widths), np.array(found.heights)
    short, long = np.minimum(widths, heights), np.maximum(widths, heights)

    def spread(values: NDArray[np.int64]) -> dict[str, float]:
        return {
            "min": int(values.min()),
            "median": float(np.median(values)),
            "max": int(values.max()),
        }

    return {
        "width": spread(widths),
        "height": spread(heights),
        "odd_aspect": int((long > _ODD_ASPECT * short).sum()),
        "odd_aspect_from": _ODD_ASPECT,
        "smaller_than_crop": int((short < size).sum()),
    }


def _duplicates(images: DecodedImages) -> list[dict[str, str]]:
    """Each image that is the same as an earlier one, with the first of its kind."""
    files: dict[str, str] = {}
    pixels: dict[str, str] = {}
    rows = zip(images.ids, images.file_hashes, images.pixel_hashes, strict=True)
    found = []
    for name, file_hash, pixel_hash in rows:
        same_file = files.setdefault(file_hash, name)
        same_pixels = pixels.setdefault(pixel_hash, name)
        if same_file != name:
            found.append({"id": name, "twin": same_file, "what": "the same file"})
        elif same_pixels != name:
            found.append({"id": name, "twin": same_pixels, "what": "the same pixels"})
    return found


def _balance(classes: list[dict[str, Any]]) -> dict[str, Any]:
    smallest = min(classes, key=lambda row: row["images"])
    largest = max(classes, key=lambda row: row["images"])
    few = smallest["images"]
    return {
        "smallest": smallest["class"],
        "largest": largest["class"],
        "ratio": largest["images"] / few if few else None,
    }


def _shared(leaks: Sequence[Leak]) -> list[str]:
    across = sum(leak.between == "splits" for leak in leaks)
    texts = [
        (across, "image", "are", "of val or test and in an earlier split, or of a group that is"),
        (len(leaks) - across, "image", "are", "in another class as well"),
    ]
    return _counts(texts)


def _problems(report: dict[str, Any]) -> list[str]:
    empty = [row["class"] for row in report["classes"] if not row["images"]]
    others = sum(file["reason"] == OTHER_FORMAT for file in report["left_out"])
    texts = [
        (len(report["unreadable"]), "image", "cannot", "be read"),
        (others, "image", "are", "in a format that is not read (see the files left out); save as "
         "PNG, JPEG or WebP"),
        (len(empty), "class", "have", f"no image that can be read: {', '.join(empty[:5])}"),
    ]  # fmt: skip
    return _counts(texts)


def _counts(texts: Iterable[tuple[int, str, str, str]]) -> list[str]:
    """A sentence for each count that is not zero, of a noun, a verb and what it is about."""
    return [f"{counted(n, noun, verb)} {text}" for n, noun, verb, text in texts if n]


def _warnings(report: dict[str, Any], size: int) -> list[str]:
    kinds, sizes, balance = report["kinds"], report["sizes"], report["balance"]
    colours = {"grayscale", "colour", "palette", "cmyk"} & kinds.keys()
    mixed = kinds.get("grayscale", 0) if len(colours) > 1 else 0
    unbalanced = balance["ratio"] is not None and balance["ratio"] > _UNBALANCED
    others = sum(file["reason"] != OTHER_FORMAT for file in report["left_out"])
    aspect = f"over {_ODD_ASPECT:g} times longer than wide or wider than long"
    texts = [
        (others, "other file", "are", "left out"),
        (len(report["wrong_suffixes"]), "image", "are", "in another format than that of the name"),
        (len(report["duplicates"]), "image", "are", "the same as an earlier one"),
        (sizes.get("odd_aspect", 0), "image", "are", f"{aspect}, to be squeezed into squares"),
        (sizes.get("smaller_than_crop", 0), "image", "are", f"below the crop of {size} pixels"),
        (mixed, "image", "are", "gray among others in colour: classes may differ by that alone"),
    ]
    found = _counts(texts)
    if unbalanced:
        found.append(
            f"class {balance['largest']!r} has {balance['ratio']:.1f} times the images of class "
            f"{balance['smallest']!r}"
        )
    return found
