"""The images in a request's body, within the limits while they stream in."""

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from mixqual.service.form import ImageForm
from mixqual.service.refusals import Refusal
from mixqual.service.room import Ticket
from mixqual.service.settings import Settings

_DRAINED = 2**20


async def read_images(request: Request, limits: Settings, ticket: Ticket) -> list[bytes]:
    """The bytes of each image: the parts of a form, or the body as a whole.

    Nothing beyond a limit is kept. Raises `Refusal`, `NoRoomError`, and Starlette's
    `ClientDisconnect`.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Refusal(
            415, f"the body is encoded as {coding[:40]!r}, which is not read; send it as it is"
        )
    media, options = parse_options_header(request.headers.get("content-type"))
    form = None
    if media == b"multipart/form-data":
        form = ImageForm(options.get(b"boundary", b""), lambda count: _count(count, limits))
    elif not media.startswith(b"image/") and media != b"application/octet-stream":
        raise Refusal(
            415, "send images as multipart/form-data, or one as image/* or application/octet-stream"
        )
    declared = declared_bytes(request) or 0
    if declared > limits.max_bytes:
        raise _too_long(limits)
    # Only what has come takes room: else bodies that never come would keep the others out.
    ticket.check(images=1, held_bytes=declared)
    received, whole = 0, bytearray()
    async for chunk in request.stream():
        received += len(chunk)
        if received > limits.max_bytes:
            raise _too_long(limits)
        ticket.hold(held_bytes=received)
        if form:
            form.write(chunk)
        else:
            whole.extend(chunk)
    images = form.images() if form else [bytes(whole)]
    if not images:
        raise Refusal(422, "the form holds no image")
    ticket.hold(images=len(images))
    return images


def declared_bytes(request: Request) -> int | None:
    """What the request says of the length of its body, if it does."""
    value = request.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else None


def is_worth_draining(request: Request) -> bool:
    """Whether the connection stays usable at a small price if the body is not read."""
    declared = declared_bytes(request)
    if declared is None:
        return "transfer-encoding" not in request.headers
    return declared <= _DRAINED


def _count(count: int, limits: Settings) -> None:
    if count > limits.max_images:
        raise Refusal(413, f"more than {limits.max_images} images in one request")


def _too_long(limits: Settings) -> Refusal:
    return Refusal(413, f"the body is longer than {limits.max_bytes} bytes")
