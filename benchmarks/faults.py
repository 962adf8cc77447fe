"""Faults of files, as disks, power cuts and people make them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

KINDS = ("bit", "cut", "empty", "zeros", "removed", "exchanged")


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
