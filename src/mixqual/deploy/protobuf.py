"""Messages of protobuf, told apart and written without a library: rows of numbered fields."""

from collections.abc import Iterator

Content = bytes | memoryview
"""A view spares copies of what may be two gigabytes."""

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5  # wire types


def fields(content: Content) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, and where it, its value and the next begin.

    Raises `IndexError` or `ValueError` where it is damaged.
    """
    place = 0
    while place < len(content):
        begins = place
        tag, place = _varint(content, place)
        start = place
        match tag & 7:
            case wire if wire == _VARINT:
                _, place = _varint(content, place)
            case wire if wire == _LENGTH:
                length, start = _varint(content, place)
                place = start + length
            case wire if wire in (_FIXED_64, _FIXED_32):
                place += 8 if wire == _FIXED_64 else 4
            case wire:
                raise ValueError(f"wire type {wire}")
        if place > len(content) or tag >> 3 == 0:
            raise ValueError("cut off, or no field")
        yield tag >> 3, begins, start, place


def bytes_field(number: int, *values: Content) -> bytes:
    """A field of bytes, text or a message, which are those of all values in a row."""
    length = sum(map(len, values))
    return b"".join([_as_varint(number << 3 | _LENGTH), _as_varint(length), *values])


def _varint(content: Content, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _as_varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
