"""A bundle: one file with the weights of a mixture and all that is needed to use them.

It is a ZIP archive without compression of three members: `manifest.json`, `weights.safetensors`,
and `checksums.json` with the format, and the size and SHA-256 of the other two. Nothing in it is
code, nothing is unpacked to disk, and no member is read before its size is known to be sound.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from mixqual.artifacts import refusing_full_disk
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.parts import check_parts, from_json, head_of, in_short, read_head, to_json
from mixqual.errors import BundleError

_CHECKSUMS, _MANIFEST, _WEIGHTS = "checksums.json", "manifest.json", "weights.safetensors"
_MOST_BYTES = {_CHECKSUMS: 2**16, _MANIFEST: 2**26, _WEIGHTS: 2**36}
_SUFFIX = ".mixqual"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a date of writing would make equal bundles differ


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
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read_bundle(path: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Read what `write_bundle` wrote.

    Raises `BundleError` if there is no such file, it is no bundle, was cut off or changed, or has a
    newer format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            told = read_head(path, _CHECKSUMS, archive.read(_CHECKSUMS))
            parts = {name: archive.read(name) for name in (_MANIFEST, _WEIGHTS)}
    except FileNotFoundError:
        raise BundleError(f"{path} is no file; give a bundle of `mixqual export`") from None
    except IsADirectoryError:
        raise BundleError(f"{path} is a folder; give a bundle of `mixqual export`") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise BundleError(
            f"{path} is no whole bundle ({in_short(error)}); copy or export it again"
        ) from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error})") from None
    check_parts(path, told, parts)
    manifest = from_json(path, _MANIFEST, Manifest, parts[_MANIFEST])
    return manifest, _read_weights(path, parts[_WEIGHTS])


def is_bundle(path: Path) -> bool:
    """Whether a file is one by its name's ending, or by its members; it need not be sound."""
    if path.suffix.lower() == _SUFFIX:
        return True
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
        if member.file_size > _MOST_BYTES[member.filename]:
            raise BundleError(f"{path}: {member.filename} claims {member.file_size} bytes")


def _read_weights(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(content))
    except safetensors.SafetensorError as error:
        raise BundleError(f"{path}: {_WEIGHTS} is damaged ({in_short(error)})") from None
