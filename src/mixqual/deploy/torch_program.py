"""A mixture as a program of torch.export, which needs torch but neither mixqual nor timm to run."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mixqual.deploy.manifest import Manifest
from mixqual.deploy.parts import from_json, to_json
from mixqual.deploy.whole_network import WholeNetwork
from mixqual.networks.model_files import quietly

MANIFEST_FILE = "manifest.json"
"""The name of the manifest among the program's extra files."""

Program = Callable[[Tensor], tuple[Tensor, Tensor]]


def torch_program(network: WholeNetwork, example_BCHW: Tensor, manifest: Manifest) -> bytes:
    """The content of a .pt2 file, for batches of any size, with the manifest in it."""
    batch = torch.export.Dim("batch", min=1)
    buffer = io.BytesIO()
    with quietly(), torch.no_grad():
        program = torch.export.export(network, (example_BCHW,), dynamic_shapes=({0: batch},))
        for node in program.graph.nodes:  # lines of code, paths of this machine
            node.meta.pop("stack_trace", None)
        program.example_inputs = None  # they would be pickled
        extra = {MANIFEST_FILE: to_json(manifest).decode()}
        torch.export.save(program, buffer, extra_files=extra)
    return buffer.getvalue()


def load_program(content: bytes) -> Program:
    """The program of a .pt2 file. Load only what you trust: it may run code."""
    with quietly():
        program: Program = torch.export.load(io.BytesIO(content)).module()
    return program


def read_program_manifest(path: Path) -> Manifest | None:
    """The manifest in a .pt2 file; None without one, or if the file cannot be read.

    No code of the file is run. Raises `BundleError` for a manifest that is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/{MANIFEST_FILE}")]
            content = archive.read(names[0]) if names else None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None  # a reader of programs says why
    return None if content is None else from_json(path, MANIFEST_FILE, Manifest, content)
