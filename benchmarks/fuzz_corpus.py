"""What is mutated: small sound images of every format, a form of them, a bundle, an ONNX file."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mixqual.deploy import Manifest
from mixqual.deploy.bundle import write_bundle
from mixqual.deploy.manifest import Grid, Threshold, Trust
from mixqual.deploy.onnx_file import Facts, Parity
from mixqual.deploy.parts import head_of, to_json

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
MODES = ("L", "RGB", "P", "1", "RGBA", "I;16")
ORIENTATION = 274

OPTIONS = {
    "JPEG": ({"progressive": True}, {"quality": 40, "subsampling": 2}),
    "TIFF": tuple({"compression": name} for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")),
    "WEBP": ({"lossless": True},),
    "PNG": ({"transparency": 3},),
}
"""Other ways in which a format is written."""

GRAPH = bytes.fromhex("0808 1207 6d697871 75616c 3a0a 0a03 616263 1a03 78797a 4202 1013")
"""Fields as those of an ONNX model: a number, a name, a graph, an operator set."""

HEAD = b'Content-Disposition: form-data; name="images"; filename="../x.png"\r\n\r\n'


def images(kind: str, width: int = 12, height: int = 9) -> list[bytes]:
    """A small image in each mode that a format can have, then in RGB by its other ways."""
    generator, files = np.random.default_rng(0), []
    pixels = Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    ways = [*({} for _ in MODES), *OPTIONS.get(kind, ())]
    for mode, options in zip([*MODES, *["RGB"] * len(ways)], ways, strict=False):
        plain = pixels.convert("L").convert("I") if mode == "I;16" else pixels
        exif = {"exif": turned} if mode == "RGB" and kind in ("PNG", "JPEG", "WEBP") else {}
        file = io.BytesIO()
        try:
            plain.convert(mode).save(file, kind, **exif, **options)
        except (OSError, ValueError, KeyError):  # not in this format
            continue
        files.append(file.getvalue())
    if kind in ("GIF", "WEBP", "TIFF"):
        file = io.BytesIO()
        pixels.save(file, kind, save_all=True, append_images=[pixels.rotate(90)])
        files.append(file.getvalue())
    return files


def form(contents: Sequence[bytes]) -> bytes:
    """A form with the boundary "b"."""
    return b"".join(b"--b\r\n" + HEAD + each + b"\r\n" for each in contents) + b"--b--\r\n"


def manifest() -> Manifest:
    """Of a mixture that never was, with every field that there is."""
    return Manifest(
        name="tiny",
        model="mix",
        version="0",
        commit="abc",
        seed=0,
        classes=("cat", "dög"),
        experts=("clean", "noise"),
        clean="clean",
        backbone="timm/test_efficientnet",
        size=32,
        interpolation="bicubic",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.25, 0.5),
        gate="patch",
        until="blocks.1",
        distortions={
            "gaussian_noise": Grid(
                unit="grey levels",
                quantity="σ",
                levels=(0.0, 50.0),
                weights=((0.7, 0.3), (0.0, 1.0)),
            )
        },
        trust=Trust(temperature=1.3, usable=0.9, retake=0.4, rule="a rule", errors={"usable": 0.1}),
        threshold=Threshold(tau=0.1, experts=1.5, auc=0.7),
        auc={"mix": 0.7},
        **{"from": None},
    )


def bundle_parts(folder: Path) -> dict[str, bytes]:
    """The members of a bundle with tensors of a few numbers, by their names."""
    tensors = {
        "gate/w": torch.arange(6.0).view(2, 3),
        "expert.clean/n": torch.tensor(3),
        "expert.noise/h": torch.ones(2, dtype=torch.float16),
    }
    write_bundle(folder / "sound.mixqual", manifest(), tensors)
    with zipfile.ZipFile(folder / "sound.mixqual") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def bundle_of(parts: Mapping[str, bytes]) -> bytes:
    """A bundle of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    return file.getvalue()


def resealed(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members with the checksums that they should have."""
    head = json.loads(parts["checksums.json"])
    for name in head["parts"]:
        digest = hashlib.sha256(parts[name]).hexdigest()
        head["parts"][name] = {"bytes": len(parts[name]), "sha256": digest}
    return {**parts, "checksums.json": json.dumps(head).encode()}


def onnx_parts() -> dict[str, bytes]:
    """The graph of an ONNX file, a few bytes, and what `mixqual export` writes behind it."""
    parity = Parity(clean=0.0, distorted=1e-6, weights=0.0, images=40)
    facts = Facts(input="uint8", parity=parity)
    parts = {"graph": GRAPH, "manifest": to_json(manifest()), "facts": to_json(facts)}
    return {**parts, "checksums": head_of(parts)}


def onnx_of(parts: Mapping[str, bytes]) -> bytes:
    """An ONNX file of these parts."""
    behind = [
        _field(14, _field(1, b"mixqual." + name.encode()) + _field(2, part))
        for name, part in parts.items()
        if name != "graph"
    ]
    return b"".join([parts["graph"], *behind])


def onnx_resealed(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The parts with the checksums that they should have."""
    told = {name: part for name, part in parts.items() if name != "checksums"}
    return {**told, "checksums": head_of(told)}


def _field(number: int, value: bytes) -> bytes:
    """A field of protobuf with bytes in it."""
    lengths, left = [], len(value)
    while left > 127:
        lengths.append(left & 127 | 128)
        left >>= 7
    return bytes([number << 3 | 2, *lengths, left]) + value
