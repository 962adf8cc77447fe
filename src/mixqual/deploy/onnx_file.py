"""An ONNX file of `mixqual export`: a whole mixture as one graph, with its manifest and checksums.

An ONNX file is a message of protobuf: a row of numbered fields. The graph is what an exporter
wrote; behind it come fields of metadata (key and value), which any reader of ONNX shows: the
manifest, facts of the export, and the checksums of all three. They are told apart here without
a library, so that nothing is given to one before it is known to be what was written.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from pydantic import Field

from mixqual.artifacts import write_atomically
from mixqual.config import Table
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.parts import (
    check_parts,
    check_regular,
    from_json,
    head_of,
    read_head,
    to_json,
)
from mixqual.deploy.protobuf import bytes_field, fields
from mixqual.errors import BundleError

Input = Literal["uint8", "float32"]
"""Types of images."""

MOST_BYTES = 2**31 - 1
"""Protobuf cannot hold more."""

_GRAPH, _MANIFEST, _FACTS, _CHECKSUMS = "graph", "manifest", "facts", "checksums"
_PREFIX = "mixqual."
_METADATA = 14  # ModelProto.metadata_props
_MOST_METADATA = 2**24  # bytes of one
_KEY, _VALUE = 1, 2  # of StringStringEntryProto


class Parity(Table):
    """How far the file's answers are from those of the network that it was made of.

    Each is the largest difference of a number in 0...1.
    """

    clean: float = Field(ge=0)
    """Of probabilities, on clean images."""
    distorted: float = Field(ge=0)
    """Of probabilities, on noisy and blurred images."""
    weights: float = Field(ge=0)
    """Of the gate's weights, on all of them."""
    images: int
    """How many there were of both kinds; made up, with the spectrum of photographs."""


class Int8(Table):
    """What it costs that convolutions are in whole numbers of 8 bits."""

    auc: float | None
    """The average AUC on validation images before; None if the run no longer has them."""
    auc_int8: float | None
    """The same of this file."""
    images: int
    """How many there were."""
    levels: int
    """Distortions and levels at which each was shown."""


class Facts(Table):
    """What the export says of an ONNX file."""

    input: Input
    """Type of the images; both hold grey levels of 0 to 255."""
    parity: Parity
    int8: Int8 | None = None
    """None if the file computes in floating point throughout."""
    divisible: bool = False
    """Whether the values have names at which `onnx_cut` cuts; not in files of before it did."""


@final
@dataclass(frozen=True)
class OnnxFile:
    """A sound file, read into memory."""

    manifest: Manifest
    facts: Facts
    content: bytes
    """The whole file, for a library that runs it."""


def write_onnx_file(path: Path, graph: bytes, manifest: Manifest, facts: Facts) -> None:
    """Write a graph, a serialised ModelProto without metadata, with what belongs to it."""
    parts = {_GRAPH: graph, _MANIFEST: to_json(manifest), _FACTS: to_json(facts)}
    told = {_MANIFEST: parts[_MANIFEST], _FACTS: parts[_FACTS], _CHECKSUMS: head_of(parts)}
    entries = [_entry(_PREFIX + name, value) for name, value in told.items()]
    write_atomically(path, b"".join([graph, *entries]))


def read_onnx_file(path: Path) -> OnnxFile:
    """Read what `write_onnx_file` wrote.

    Raises `BundleError` if there is no such file, it was cut off or changed, is not by
    `mixqual export`, or has a newer format.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BundleError(f"{path} is no ONNX file: none is larger than 2 GiB")
        if not size:
            raise BundleError(f"{path} is no whole ONNX file, but empty; copy or export it again")
        # Mapped, so that a file that is no such file is refused by its beginning and its end.
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held,
            memoryview(held) as content,
        ):
            manifest, facts = _read(path, content)
            return OnnxFile(manifest, facts, bytes(content))
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error})") from None


def _read(path: Path, content: memoryview) -> tuple[Manifest, Facts]:
    try:
        end, metadata = _parted(content)
    except (IndexError, ValueError):
        raise BundleError(f"{path} is no whole ONNX file; copy or export it again") from None
    if metadata.keys() != {_MANIFEST, _FACTS, _CHECKSUMS}:
        raise BundleError(
            f"{path} is no ONNX file of `mixqual export`, or was changed: it should carry "
            f"{_MANIFEST}, {_FACTS} and {_CHECKSUMS}; `mixqual evaluate` takes any classifier"
        )
    told = read_head(path, _CHECKSUMS, metadata.pop(_CHECKSUMS))
    check_parts(path, told, metadata)
    manifest = from_json(path, _MANIFEST, Manifest, metadata[_MANIFEST])
    facts = from_json(path, _FACTS, Facts, metadata[_FACTS])
    with content[:end] as graph:
        check_parts(path, told, {_GRAPH: graph})
    return manifest, facts


def is_exported_onnx(path: Path) -> bool:
    """Whether an ONNX file carries metadata of `mixqual export`; it need not be sound."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return False
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held,
            memoryview(held) as content,
        ):
            return any(
                _begins_as_ours(content[start:stop])
                for number, _, start, stop in fields(content)
                if number == _METADATA
            )
    except (OSError, ValueError, IndexError):  # a reader of ONNX says why
        return False


def _begins_as_ours(entry: memoryview) -> bool:
    prefix = _PREFIX.encode()
    with entry:
        return any(
            number == _KEY and bytes(entry[first:last][: len(prefix)]) == prefix
            for number, _, first, last in fields(entry)
        )


def _parted(content: memoryview) -> tuple[int, dict[str, bytes]]:
    """Where the graph ends, and the metadata behind it.

    Raises `IndexError` or `ValueError` if it is damaged.
    """
    metadata: dict[str, bytes] = {}
    end = None
    for number, begins, start, stop in fields(content):
        if number == _METADATA:
            end = begins if end is None else end
            if stop - start > _MOST_METADATA:
                raise ValueError(f"metadata of {stop - start} bytes")
            entry = bytes(content[start:stop])
            pair = {field: entry[first:last] for field, _, first, last in fields(entry)}
            name = pair[_KEY].decode() if pair.keys() == {_KEY, _VALUE} else ""
            if not name.startswith(_PREFIX) or name.removeprefix(_PREFIX) in metadata:
                raise ValueError(f"metadata {name!r}")
            metadata[name.removeprefix(_PREFIX)] = pair[_VALUE]
        elif end is not None:
            raise ValueError("fields behind the metadata")
    return len(content) if end is None else end, metadata


def _entry(key: str, value: bytes) -> bytes:
    pair = b"".join(bytes_field(n, v) for n, v in ((_KEY, key.encode()), (_VALUE, value)))
    return bytes_field(_METADATA, pair)
