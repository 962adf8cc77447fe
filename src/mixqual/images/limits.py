"""What decoding one image may cost, judged by its file before any pixel is decoded.

A header that is sound can still ask for minutes or gigabytes: by sides that resizing multiplies, by
pixels that take no bytes, by a tile that is larger than its image, by scans that each go over all
pixels of a JPEG file again. The limits lie well beyond what cameras, scanners and tools write.
"""

import re

from PIL import Image

from mixqual.images.unreadable import TooLarge, Unreadable

_LONGEST_SIDE = 2**16 - 1  # what JPEG and GIF can say
_FREE_PIXELS = 2**24  # so many may be packed as tightly as they can be
_PIXELS_PER_BYTE = 256
_SCANS = 100
_SCANNED_PIXELS = 2**31  # about four seconds
_ORDINARY_SCANS = 10  # of a progressive file in colour
_SLOW_DECODERS, _SLOW = ("bmp_rle", "ppm_plain"), 50  # which Pillow has in Python
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # TIFF tags
_TILE_STEP = 16  # sides of tiles are multiples of it

_START_OF_SCAN = b"\xff\xda"
# What may follow 0xFF in the data of a scan without ending it: stuffing, restarts, fill bytes.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_END, _SCAN = 0xD9, 0xDA


def check_header(image: Image.Image, file_bytes: int) -> None:
    """Raise `TooLarge` for an image, opened but not loaded, whose pixels would cost too much."""
    pixels = image.width * image.height
    if max(image.size) > _LONGEST_SIDE:
        raise TooLarge(
            f"{image.width} x {image.height} pixels: a side exceeds the limit of {_LONGEST_SIDE}; "
            "cut the image into parts"
        )
    if pixels > max(_FREE_PIXELS, _PIXELS_PER_BYTE * file_bytes):
        raise TooLarge(
            f"{image.width} x {image.height} pixels in {file_bytes} bytes: more than "
            f"{_PIXELS_PER_BYTE} for each byte exceed the limit of {_FREE_PIXELS} pixels; "
            "scale the image down"
        )
    tile = _tile(image)
    if tile > max(_FREE_PIXELS, _padded(image.width) * _padded(image.height)):
        raise TooLarge(
            f"its tiles of {tile} pixels exceed the image and the limit of {_FREE_PIXELS}; save it "
            "with smaller tiles, or with none"
        )


def check_scans(content: bytes, pixels: int) -> None:
    """Raise `TooLarge` for a JPEG file, of so many pixels, with too many scans."""
    most = min(_SCANS, _SCANNED_PIXELS // pixels)
    if content.count(_START_OF_SCAN) <= most:  # some of which lie in previews and comments
        return
    scans = _scans(content)
    if scans > most:
        raise TooLarge(
            f"{scans} scans of {pixels} pixels exceed the limit of {most}; save it again"
        )


def cost(image: Image.Image, content: bytes) -> int:
    """About what decoding an opened image takes, in pixels of an ordinary file.

    Raises `TooLarge` for too many scans.
    """
    pixels = image.width * image.height
    if any(tile[0] in _SLOW_DECODERS for tile in getattr(image, "tile", ())):
        return _SLOW * pixels
    if image.format not in ("JPEG", "MPO"):
        return pixels
    check_scans(content, pixels)
    return pixels * max(1, content.count(_START_OF_SCAN) // _ORDINARY_SCANS)


def _scans(content: bytes) -> int:
    """How many scans the first image of a JPEG file has, also if it is damaged or cut."""
    place, found = 2, 0  # after the start of the image
    while (marker := _NEXT_MARKER.search(content, place)) is not None:
        code, place = content[marker.end() - 1], marker.end()
        if code == _END:
            break
        if code in _ALONE:
            continue
        found += code == _SCAN
        place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return found


def _tile(image: Image.Image) -> int:
    """Pixels of a tile of a TIFF file; 0 where there are none."""
    tags = getattr(image, "tag_v2", {})
    width, length = (tags.get(tag, 0) for tag in (_TILE_WIDTH, _TILE_LENGTH))
    if not (isinstance(width, int) and isinstance(length, int)):
        raise Unreadable("damaged (its tiles have no size)")
    return width * length


def _padded(side: int) -> int:
    return -(-side // _TILE_STEP) * _TILE_STEP
