"""What reads things from outside, called with one changed input each, and what may come of it.

A reader answers, or refuses in one line. Everything else is an exception that goes up.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import fuzz_corpus
from starlette.requests import Request

from mixqual.deploy.bundle import read_bundle
from mixqual.deploy.onnx_file import read_onnx_file
from mixqual.errors import BundleError
from mixqual.images import Embedded
from mixqual.images.decoder_process import Order, Outcome, decoded
from mixqual.images.decoding import read_header
from mixqual.service.body import read_images
from mixqual.service.form import ImageForm
from mixqual.service.refusals import Refusal
from mixqual.service.room import NoRoomError, Room
from mixqual.service.settings import Settings

SIZE = 16
MOST_PIXELS = 1_000_000
ORDER = Order(SIZE, "bicubic", MOST_PIXELS, most_cost=2**40, seconds=5)
LIMITS = Settings(max_bytes=6000, max_images=4, max_held_bytes=12_000)
STATUSES = {400, 413, 415, 422}
INSIDE = ("Traceback", "site-packages", " object at 0x")

INTEGERS = tuple(
    value.to_bytes(size, order)
    for size, values in (
        (2, (0x7FFF, 0xFFFF)),
        (4, (2**31 - 1, 2**32 - 1)),
        (8, (2**63, 2**64 - 1)),
    )
    for value in values
    for order in ("little", "big")
)
JSON = tuple(
    text.encode()
    for text in (
        *("null", "true", "-1", "0", "1e999", "-1e999", "NaN", "Infinity", "1e-400", "2.5"),
        *('""', "[]", "{}", "[[", "{", "}", ",", ":", '"', '"\\n"', '"\\ud800"', '"\\u0000"', "'"),
        *('"format":Infinity', '"from":', '"until":"x",', '"a\\nb":1,', "9" * 400, "[" * 5000),
        *('"F64"', '"BF16"', '"F8_E4M3"', '"F8_E8M0"', '"F4"', '"C64"', '"BOOL"', '"__metadata__"'),
    )
)
ZIP = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\0\x08", b"\0\0")
FORM = (
    *(b"\r\n", b"--b", b"--b--", b"--b\r\n", b"\r", b"\n", b"\0", b"images", b"filename*=UTF-8''x"),
    *(
        fuzz_corpus.HEAD,
        b'name="',
        b"; ",
        b"=",
        b": ",
        b"Content-Type: x\r\n",
        b"a" * 9000,
        b"\xff",
    ),
    *(b"multipart/form-data", b"boundary=", b"image/png", b"-1", b"9" * 30, b'"', b"\\"),
)


class Refused(Exception):
    """It was not taken, in so many words."""


@final
@dataclass(frozen=True)
class Target:
    """A reader, and sound inputs of it."""

    corpus: Sequence[bytes]
    tokens: Sequence[bytes]
    """What is put into them, beside any bytes."""
    read: Callable[[bytes], object]
    """Gives an answer that can be compared, or raises `Refused`."""
    sealed: bool = False
    """Whether any change must be refused, or change nothing."""


def targets(folder: Path) -> dict[str, Target]:
    """All of them by their names; files to be read are written into the folder."""
    bundle, onnx = fuzz_corpus.bundle_parts(folder), fuzz_corpus.onnx_parts()
    found = {
        "bundle": Target(
            [fuzz_corpus.bundle_of(bundle)], ZIP, lambda content: _bundle(folder, content), True
        ),
        "onnx": Target(
            [fuzz_corpus.onnx_of(onnx)], (), lambda content: _onnx(folder, content), True
        ),
        "form": Target(_forms(), FORM, _form),
        "body": Target(_bodies(), FORM, _body),
    }
    for name, part in bundle.items():
        found[f"bundle-{name.split('.')[0]}"] = Target(
            [part], JSON, lambda content, name=name: _bundle(folder, _with(bundle, name, content))
        )
    for name in ("manifest", "facts", "checksums"):
        found[f"onnx-{name}"] = Target(
            [onnx[name]],
            JSON,
            lambda content, name=name: _onnx(folder, _after(onnx, name, content)),
        )
    for kind in fuzz_corpus.FORMATS:
        found[kind.lower()] = Target(fuzz_corpus.images(kind), (), _image)
    return found


def _with(parts: Mapping[str, bytes], name: str, content: bytes) -> bytes:
    changed = {**parts, name: content}
    sealed = changed if name == "checksums.json" else fuzz_corpus.resealed(changed)
    return fuzz_corpus.bundle_of(sealed)


def _after(parts: Mapping[str, bytes], name: str, content: bytes) -> bytes:
    changed = {**parts, name: content}
    sealed = changed if name == "checksums" else fuzz_corpus.onnx_resealed(changed)
    return fuzz_corpus.onnx_of(sealed)


def _bundle(folder: Path, content: bytes) -> object:
    path = _written(folder / "changed.mixqual", content)
    try:
        # What is made up is of no network.
        manifest, tensors = read_bundle(path, lambda manifest, kinds: None)
    except BundleError as error:
        raise _refused(error, path) from None
    values = {name: (each.shape, str(each.tolist())) for name, each in tensors.items()}
    return repr(manifest), values  # as text, in which NaN is what it was


def _onnx(folder: Path, content: bytes) -> object:
    path = _written(folder / "changed.onnx", content)
    try:
        file = read_onnx_file(path)
    except BundleError as error:
        raise _refused(error, path) from None
    assert file.content == content
    return repr(file.manifest), repr(file.facts)


def _written(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)  # to write over a file makes some file systems wait for the disk
    path.write_bytes(content)
    return path


def _forms() -> list[bytes]:
    small = fuzz_corpus.images("PNG")[:2]
    return [fuzz_corpus.form(each) for each in (small[:1], [b"", b"\r\n-", b"x"], small)]


def _form(content: bytes) -> object:
    """Whole and in pieces: both must be taken, with the same images, or both refused."""
    found = [_parsed(content, step) for step in (len(content) + 1, 7)]
    assert found[0] == found[1], found
    if found[0] is None:
        raise Refused
    return found[0]


def _parsed(content: bytes, step: int) -> list[bytes] | None:
    def count(images: int) -> None:
        if images > LIMITS.max_images:
            raise Refusal(413, "too many")

    try:
        form = ImageForm(b"b", count)
        for start in range(0, len(content), step):
            form.write(content[start : start + step])
        return form.images() or None  # none at all is refused by who asked
    except Refusal as refusal:
        _check_refusal(refusal)
        return None


def _bodies() -> list[bytes]:
    """Two lines with the media type and the declared length, and the body itself."""
    form, image = _forms()[0], fuzz_corpus.images("GIF")[0]
    return [
        b"multipart/form-data; boundary=b\n%d\n" % len(form) + form,
        b'multipart/form-data; boundary="b"; charset=x\n\n' + form,
        b"image/gif\n%d\n" % len(image) + image,
    ]


def _body(content: bytes) -> object:
    lines = content.split(b"\n", 2)
    media, length, body = [*lines, b"", b""][:3]
    headers = [(b"content-type", media)] + [(b"content-length", length)] * bool(length)
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    messages = [
        {"type": "http.request", "body": body[start : start + 500], "more_body": True}
        for start in range(0, len(body), 500)
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    left = iter(messages)

    async def receive() -> Any:
        return next(left)

    room = Room(LIMITS.max_queue, LIMITS.max_held_bytes)
    try:
        with room.ticket() as ticket:
            found = _without_a_loop(read_images(Request(scope, receive), LIMITS, ticket))
    except NoRoomError:
        raise Refused from None
    except Refusal as refusal:
        _check_refusal(refusal)
        raise Refused from None
    finally:
        assert (room.images, room.held_bytes) == (0, 0)
    assert 0 < len(found) <= LIMITS.max_images
    assert sum(map(len, found)) <= LIMITS.max_bytes
    return found


def _without_a_loop(work: Coroutine[Any, Any, list[bytes]]) -> list[bytes]:
    """The result of what never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        found: list[bytes] = end.value
        return found
    raise AssertionError("it waits for something")


def _image(content: bytes) -> object:
    """As the service reads it; a header can be read wherever the pixels can."""
    outcome, data = decoded(content, ORDER)
    if outcome is not Outcome.PIXELS:
        _check_text(data.decode())
        raise Refused
    assert len(data) == SIZE * SIZE * 3
    header = read_header(Embedded("bytes", 0, len(content), lambda _: content))
    assert header.width * header.height <= MOST_PIXELS
    return data


def _check_refusal(refusal: Refusal) -> None:
    assert refusal.status in STATUSES, refusal.status
    _check_text(refusal.text)
    json.dumps({"error": refusal.text}).encode()


def _refused(error: Exception, path: Path | None = None) -> Refused:
    _check_text(str(error))
    assert path is None or str(error).startswith(str(path)), str(error)
    return Refused()


def _check_text(text: str) -> None:
    assert text, "it says nothing"
    assert text.isprintable(), f"not one line that can be printed: {text!r}"
    assert not any(word in text for word in INSIDE), text
    assert len(text) < 2000, f"{len(text)} characters"
