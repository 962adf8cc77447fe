"""Figures as files: each as SVG and PNG, the same bytes for the same drawing."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from mixqual.artifacts import write_atomically

_DPI = 150
# A date or a version in the file would make every drawing differ.
_METADATA = {"svg": {"Date": None}, "png": {"Software": None}}


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write NAME.svg and NAME.png into a folder, and return their paths."""
    paths = []
    for kind, metadata in _METADATA.items():
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=_DPI, metadata=metadata)
        path = directory / f"{name}.{kind}"
        write_atomically(path, content.getvalue())
        paths.append(path)
    return paths
