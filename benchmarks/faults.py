"""Faults of files, as disks, power cuts and people make them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

KINDS = ("bit", "cut", "empty", "zeros", "removed", "exchanged")
POWER_CUTS = ("all empty", "all zeros", "all cut", "all without ends", "some of each", "all gone")
"""What of files that were written together had not reached the disk, under finished names."""
_PAGE = 4096  # bytes that reach a disk together


def files_of(root: Path) -> list[Path]:
    """All files below a folder, in order."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def damage(path: Path, kind: str, random: np.random.Generator, others: Sequence[Path]) -> None:
    """Flip a bit of a file, cut it off, empty it, fill it with zeros, remove it, or exchange it.

    That is with one of the `others`, which are sound files of its kind; without any it is removed.
    """
    content = bytearray(path.read_bytes())
    if kind == "exchanged" and others:
        other = others[random.integers(len(others))]
        shutil.copyfile(other, path)
        other.write_bytes(content)
    elif kind in ("removed", "exchanged"):
        path.unlink()
    elif not content:
        path.write_bytes(b"?")
    elif kind == "bit":
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        path.write_bytes(content)
    elif kind == "cut":
        path.write_bytes(content[: random.integers(len(content))])
    else:
        path.write_bytes(bytes(len(content)) if kind == "zeros" else b"")


def power_cut(paths: Sequence[Path], kind: str, random: np.random.Generator) -> None:
    """Leave files as a power cut leaves those that were renamed before their contents were synced.

    That is empty, filled with zeros, cut after a page, with zeros from a page on (or from the
    middle of what has but one), without their names; or some of each, with some of them sound.
    """
    ways = dict(zip(POWER_CUTS, ("empty", "zeros", "cut", "end", "", "gone"), strict=True))
    every = ["sound", *filter(None, ways.values())]
    for number, path in enumerate(paths):
        way = ways[kind] or every[random.integers(number == 0, len(every))]  # the first never sound
        content = path.read_bytes()
        pages = len(content) // _PAGE
        kept = _PAGE * int(random.integers(pages)) if pages else len(content) // 2
        left = {
            "sound": content,
            "empty": b"",
            "zeros": bytes(len(content)),
            "cut": content[:kept],
            "end": content[:kept] + bytes(len(content) - kept),
        }
        if way == "gone":
            path.unlink()
        else:
            path.write_bytes(left[way])
