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
        parts = self._parts = _Parts(on_image)
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": lambda data, start, end: parts.field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: parts.value.extend(data[start:end]),
                "on_header_end": parts.end_header,
                "on_headers_finished": parts.end_headers,
                "on_part_data": lambda data, start, end: parts.images[-1].extend(data[start:end]),
                "on_end": parts.end,
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
        if not self._parts.ended:
            raise Refusal(400, "the form ends before its last boundary")
        return [bytes(image) for image in self._parts.images]


@final
class _Parts:
    """What the parser has found so far.

    It knows neither the form nor the parser: in a circle, images would be kept until the garbage
    collector comes by.
    """

    def __init__(self, on_image: Callable[[int], None]) -> None:
        self._on_image = on_image
        self._disposition = b""
        self.images: list[bytearray] = []
        self.field, self.value = bytearray(), bytearray()
        self.ended = False

    def begin(self) -> None:
        self._disposition = b""

    def end_header(self) -> None:
        if self.field.lower() == b"content-disposition":
            self._disposition = bytes(self.value)
        self.field.clear()
        self.value.clear()

    def end_headers(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if options.get(b"name") != FIELD.encode():
            raise Refusal(422, f'each part of the form is an image by the name of "{FIELD}"')
        self._on_image(len(self.images) + 1)
        self.images.append(bytearray())

    def end(self) -> None:
        self.ended = True
