"""A bundle: one file with the weights of a mixture or a network, and all that using them needs.

It is a ZIP archive without compression of three members: `manifest.json`, `weights.safetensors`,
and `checksums.json` with the format, and the size and SHA-256 of the other two. Nothing in it is
code, nothing is unpacked to disk, and nothing stands before, between or behind the members. The
weights are read when all else is known to be sound, and to fit the network of the manifest.
"""

import json
import math
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mixqual.artifacts import refusing_full_disk, replace_durably
from mixqual.deploy.assembly import Kind, check_fit
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.parts import (
    check_parts,
    check_regular,
    from_json,
    head_of,
    in_short,
    read_head,
    to_json,
)
from mixqual.errors import BundleError

_CHECKSUMS, _MANIFEST, _WEIGHTS = "checksums.json", "manifest.json", "weights.safetensors"
_MOST_BYTES = {_CHECKSUMS: 2**16, _MANIFEST: 2**24, _WEIGHTS: 2**36}
_MOST_HEADER = 2**26
# Of a ZIP archive: the bytes before a member's name, and where its length is; before its name in
# the table of members; and behind that table, in an archive of more than 2 GiB as well.
_LOCAL_HEADER, _NAME_LENGTH, _TABLE_ENTRY, _END, _LARGE_END = 30, 26, 46, 22, 76
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_SUFFIX = ".mixqual"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a date of writing would make equal bundles differ


Fit = Callable[[Manifest, Mapping[str, Kind]], None]


def write_bundle(path: Path, manifest: Manifest, tensors: Mapping[str, Tensor]) -> None:
    """Write a bundle, atomically; equal contents give equal bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    parts = {
        _MANIFEST: to_json(manifest),
        _WEIGHTS: safetensors.torch.save(plain),
    }
    temporary = path.with_name(f".{path.name}.tmp")
    with refusing_full_disk(path):
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name, part in {_CHECKSUMS: head_of(parts), **parts}.items():
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), part)
            replace_durably(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _check_fit(path: Path, check: Fit, manifest: Manifest, kinds: Mapping[str, Kind]) -> None:
    try:
        check(manifest, kinds)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def read_bundle(path: Path, check: Fit = check_fit) -> tuple[Manifest, dict[str, Tensor]]:
    """Read what `write_bundle` wrote; `check` looks at what its tensors are like before they are.

    Raises `BundleError` if there is no such file, it is no bundle, was cut off or changed, or has a
    newer format.
    """
    check_regular(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _check_members(path, archive)
            _check_whole(path, archive, file)
            told = read_head(path, _CHECKSUMS, archive.read(_CHECKSUMS))
            content = archive.read(_MANIFEST)
            check_parts(path, told, {_MANIFEST: content})
            manifest = from_json(path, _MANIFEST, Manifest, content)
            with archive.open(_WEIGHTS) as weights:
                kinds = _weights_header(path, weights, archive.getinfo(_WEIGHTS).file_size)
            _check_fit(path, check, manifest, kinds)
            content = archive.read(_WEIGHTS)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise BundleError(
            f"{path} is no whole bundle ({in_short(error)}); copy or export it again"
        ) from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error})") from None
    check_parts(path, told, {_WEIGHTS: content})
    tensors = _read_weights(path, content)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BundleError(f"{path}: {name} holds numbers that are NaN or infinite")
    return manifest, tensors


def is_bundle(path: Path) -> bool:
    """Whether a file is one by its name's ending, or by its members; it need not be sound."""
    if path.suffix.lower() == _SUFFIX:
        return True
    if not path.is_file():  # a pipe would be waited for
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return set(_MOST_BYTES) <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if sorted(member.filename for member in members) != sorted(_MOST_BYTES):
        raise BundleError(
            f"{path} is no bundle: it should hold {', '.join(sorted(_MOST_BYTES))} alone"
        )
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise BundleError(f"{path}: {member.filename} is compressed or encrypted")
        if not member.compress_size == member.file_size <= _MOST_BYTES[member.filename]:
            raise BundleError(f"{path}: {member.filename} claims {member.file_size} bytes")


def _check_whole(path: Path, archive: zipfile.ZipFile, file: BinaryIO) -> None:
    """Raise `BundleError` for bytes that are of no member."""
    place, table = 0, 0
    for member in archive.infolist():
        if member.header_offset != place:
            break
        file.seek(place + _NAME_LENGTH)
        name, extra = struct.unpack("<HH", file.read(4))
        place += _LOCAL_HEADER + name + extra + member.file_size
        table += _TABLE_ENTRY + len(member.filename) + len(member.extra) + len(member.comment)
    end = _END + (_LARGE_END if place > zipfile.ZIP64_LIMIT else 0)
    if (archive.start_dir, os.fstat(file.fileno()).st_size) != (place, place + table + end):
        raise BundleError(
            f"{path} has bytes before, between or behind its parts; copy or export it again"
        )


def _weights_header(path: Path, weights: IO[bytes], size: int) -> dict[str, Kind]:
    """What the tensors are like, by name, from the beginning of what holds them."""
    try:
        (length,) = struct.unpack("<Q", weights.read(8))
        if length > min(size, _MOST_HEADER):
            raise ValueError("its header is too long")
        table = json.loads(weights.read(length))
        table.pop("__metadata__", None)
        kinds = {
            str(name): Kind(_DTYPES[told["dtype"]], tuple(map(int, told["shape"])))
            for name, told in table.items()
        }
        filled = sum(kind.dtype.itemsize * math.prod(kind.shape) for kind in kinds.values())
        if filled != size - 8 - length:
            raise ValueError("its tensors do not fill it")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path}: {_WEIGHTS} is damaged ({in_short(error)})") from None
    return kinds


def _read_weights(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(content))
    except safetensors.SafetensorError as error:
        raise BundleError(f"{path}: {_WEIGHTS} is damaged ({in_short(error)})") from None
