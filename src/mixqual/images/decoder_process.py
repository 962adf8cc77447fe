"""A process that decodes what its parent sends, one image after the other, within a budget.

What decodes runs in C and cannot be stopped in a thread. This process can: past its time the kernel
ends it, past its memory an allocation fails. It imports little, so that another one starts soon.

Both ways a message is a head of fixed size, and as many bytes as it says. `service/decoders.py` is
the other end.
"""

import io
import os
import resource
import signal
import struct
import sys
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

from mixqual.images.decoding import INTERPOLATIONS, crop, read_image
from mixqual.images.embedded import Embedded
from mixqual.images.limits import cost
from mixqual.images.opening import identify, many_files
from mixqual.images.unreadable import TooLarge, Unreadable

_REQUEST = struct.Struct("<QQQId16s")
_REPLY = struct.Struct("<IQ")
REPLY_BYTES = _REPLY.size

_BYTES_PER_PIXEL = 24  # RGBA, a copy of it upright, the background, and the image laid over it
_SPARE_BYTES = 128 * 2**20


class Outcome(IntEnum):
    """What became of an image."""

    STARTED = 0
    """Of none: the process is there."""
    PIXELS = 1
    """uint8 (size, size, 3) follows."""
    UNREADABLE = 2
    """Why it cannot be decoded follows, as for the next one."""
    TOO_LARGE = 3
    """A limit forbids it."""
    COSTLY = 4
    """It would cost more than asked for; within the limits."""
    ENDED = 5
    """It took too long, so that the process ended; the parent's own finding."""
    LOST = 6
    """The process ended, for that or another reason; the parent's own finding."""


class Order(NamedTuple):
    """How to decode an image."""

    size: int
    interpolation: str
    most_pixels: int
    most_cost: int
    """In pixels, as `limits.cost` counts."""
    seconds: float
    """Of the processor's time."""

    def packed(self, content_bytes: int) -> bytes:
        """The head of a request."""
        name = self.interpolation.encode()
        return _REQUEST.pack(
            content_bytes, self.most_pixels, self.most_cost, self.size, self.seconds, name
        )


def reply_of(head: bytes) -> tuple[Outcome, int]:
    """What a reply's head says, and how many bytes follow."""
    outcome, length = _REPLY.unpack(head)
    return Outcome(outcome), length


def main(niceness: int) -> None:
    """Serve until the parent closes the pipe, behind processes that are less nice."""
    os.nice(niceness)
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    held, hard = _address_space(), _hard_limit()
    with many_files():
        _reply(replies, Outcome.STARTED, b"")
        while len(head := requests.read(_REQUEST.size)) == _REQUEST.size:
            content_bytes, most_pixels, most_cost, size, seconds, name = _REQUEST.unpack(head)
            interpolation = name.rstrip(b"\0").decode()
            assert interpolation in INTERPOLATIONS, interpolation
            order = Order(size, interpolation, most_pixels, most_cost, seconds)
            content = requests.read(content_bytes)
            if held:
                pixels = min(most_pixels, most_cost)
                most = held + 2 * len(content) + _BYTES_PER_PIXEL * pixels + _SPARE_BYTES
                resource.setrlimit(resource.RLIMIT_AS, (min(most, hard), hard))
            signal.setitimer(signal.ITIMER_PROF, seconds)
            outcome, data = decoded(content, order)
            signal.setitimer(signal.ITIMER_PROF, 0)
            _reply(replies, outcome, data)


def decoded(content: bytes, order: Order) -> tuple[Outcome, bytes]:
    """The pixels of an image file, or in UTF-8 why there are none."""
    try:
        with identify(io.BytesIO(content)) as image:
            pixels = image.width * image.height
            costly = cost(image, content) > order.most_cost
    except Image.DecompressionBombError:
        pixels, costly = order.most_pixels + 1, False
    except TooLarge as error:
        return Outcome.TOO_LARGE, str(error).encode()
    except Exception:  # decoding will say what is wrong with it
        pixels, costly = 0, False
    if pixels > order.most_pixels:
        return Outcome.TOO_LARGE, f"more than {order.most_pixels} pixels".encode()
    if costly:
        return Outcome.COSTLY, b""
    try:
        image = read_image(Embedded("bytes", 0, len(content), lambda _: content))
        return Outcome.PIXELS, crop(image, order.size, order.interpolation, channels=3).tobytes()
    except TooLarge as error:
        return Outcome.TOO_LARGE, str(error).encode()
    except Unreadable as error:
        return Outcome.UNREADABLE, str(error).encode("utf-8", "replace")
    except MemoryError:
        return Outcome.TOO_LARGE, b"does not fit into memory"


def _reply(file: BinaryIO, outcome: Outcome, data: bytes) -> None:
    file.write(_REPLY.pack(outcome, len(data)) + data)
    file.flush()


def _hard_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _address_space() -> int:
    """Bytes of this process's addresses, where the system says so; else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]))
