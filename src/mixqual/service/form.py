"""The images of a form (multipart/form-data), taken out while it streams in."""

from collections.abc import Callable
from typing import final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mixqual.service.refusals import Refusal

FIELD = "images"
"""The name of every part."""

_LONGEST_BOUNDARY = 70  # RFC 2046


@final
class ImageForm:
    """Collects the parts of a form. File names are not looked at."""

    def __init__(self, boundary: bytes, on_image: Callable[[int], None]) -> None:
        """`on_image` is told how many images there are before each is taken, and may raise."""
        if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
            raise Refusal(400, "the form's Content-Type lacks a boundary of 1 to 70 characters")
        self._on_image = on_image
        self._images: list[bytearray] = []
        self._field, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": lambda data, start, end: self._images[-1].extend(data[start:end]),
                "on_end": self._end,
            },
        )

    def write(self, data: bytes) -> None:
        """Take the next bytes; raises `Refusal` for what is no form of images."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise Refusal(400, "the body is no form as its Content-Type says") from None

    def images(self) -> list[bytes]:
        """The bytes of every image, when all has been written; raises `Refusal`."""
        if not self._ended:
            raise Refusal(400, "the form ends before its last boundary")
        return [bytes(image) for image in self._images]

    def _begin(self) -> None:
        self._disposition = b""

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if options.get(b"name") != FIELD.encode():
            raise Refusal(422, f'each part of the form is an image by the name of "{FIELD}"')
        self._on_image(len(self._images) + 1)
        self._images.append(bytearray())

    def _end(self) -> None:
        self._ended = True
