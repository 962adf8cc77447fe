"""Image files that are small to send and dear to decode, as an attacker makes them."""

import io
import struct
import zlib

from PIL import Image

_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"


def many_scans(scans: int, side: int = 3000) -> bytes:
    """A progressive JPEG file of `side` x `side` pixels whose last scan comes `scans` times."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(_START_OF_SCAN)
    end = content.rindex(_END_OF_IMAGE)
    return content[:last] + content[last:end] * scans + _END_OF_IMAGE


def flat_png(width: int, height: int) -> bytes:
    """A PNG file of black pixels: a byte of it stands for about a thousand of them."""
    row = bytes(1 + width)
    rows = 1 + 2**20 // len(row)
    packer = zlib.compressobj(9)
    parts = [packer.compress(row * min(rows, height - top)) for top in range(0, height, rows)]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"".join([*parts, packer.flush()])
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def one_tile(tile: int, side: int = 64) -> bytes:
    """A TIFF file of `side` x `side` pixels in one tile of `tile` x `tile`, deflated."""
    packer = zlib.compressobj(9)
    row = bytes(tile)
    data = b"".join([*(packer.compress(row) for _ in range(tile)), packer.flush()])
    short, long = 3, 4
    entries = (
        (256, short, side),  # width
        (257, short, side),  # height
        (258, short, 8),  # bits
        (259, short, 8),  # deflate
        (262, short, 1),  # black is zero
        (277, short, 1),  # samples
        (322, long, tile),
        (323, long, tile),
        (324, long, 8),  # where the tile begins
        (325, long, len(data)),
    )
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries
    )
    return b"II*\x00" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
