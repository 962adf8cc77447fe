"""How much the service takes on at once: bytes as they come, images when all of a body is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


class NoRoomError(Exception):
    """There is no room for so much now."""


@final
class Room:
    """Counts the images and bytes of all requests; only for one thread, that of the event loop."""

    def __init__(self, images: int, held_bytes: int) -> None:
        self._most_images = images
        self._most_bytes = held_bytes
        self.images = 0
        self.held_bytes = 0

    @contextmanager
    def ticket(self) -> Iterator["Ticket"]:
        """Room for one request, which is given back whatever becomes of it."""
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            self.images -= ticket.images
            self.held_bytes -= ticket.held_bytes

    def check(self, images: int, held_bytes: int) -> None:
        """Raise `NoRoomError` if so much more cannot be taken now."""
        if (
            self.images + images > self._most_images
            or self.held_bytes + held_bytes > self._most_bytes
        ):
            raise NoRoomError

    def take(self, images: int, held_bytes: int) -> None:
        """Take more; raises `NoRoomError`, and takes nothing then."""
        self.check(images, held_bytes)
        self.images += images
        self.held_bytes += held_bytes


@final
class Ticket:
    """What one request has taken of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.images = 0
        self.held_bytes = 0

    def check(self, *, images: int = 0, held_bytes: int = 0) -> None:
        """Raise `NoRoomError` if so much more would find no room now; takes nothing."""
        self._room.check(images, held_bytes)

    def hold(self, *, images: int = 0, held_bytes: int = 0) -> None:
        """Have at least so much room; raises `NoRoomError`."""
        more_images = max(0, images - self.images)
        more_bytes = max(0, held_bytes - self.held_bytes)
        self._room.take(more_images, more_bytes)
        self.images += more_images
        self.held_bytes += more_bytes
