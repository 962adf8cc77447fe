"""Figures as bytes and as files; equal figures give equal bytes."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from mixqual.artifacts import write_atomically
from mixqual.report.style import house_style

DRAWN = ("svg", "png")
"""The formats in which the figures of a report are written."""

# A date or a version in the file would make every drawing differ.
_METADATA = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
FORMATS = tuple(_METADATA)
_DPI = 150


@house_style()
def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure in one of `FORMATS`."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=_DPI, metadata=_METADATA[kind])
    return content.getvalue()


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write a figure as SVG and as PNG, and return the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.{kind}" for kind in DRAWN]
    for path, kind in zip(paths, DRAWN, strict=True):
        write_atomically(path, figure_bytes(figure, kind))
    return paths
