"""Room that is taken and given back: never more than there is, and nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixqual.service.room import NoRoomError, Room

REQUESTS = st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40)), max_size=5))


@given(REQUESTS)
def test_never_more_than_there_is_and_all_comes_back(requests: list[list[tuple[int, int]]]) -> None:
    room = Room(6, 60)

    def nested(left: list[list[tuple[int, int]]], images: int, held_bytes: int) -> None:
        if not left:
            return
        with room.ticket() as ticket:
            for more_images, more_bytes in left[0]:
                wanted = max(more_images, ticket.images), max(more_bytes, ticket.held_bytes)
                fits = images + wanted[0] <= 6 and held_bytes + wanted[1] <= 60
                try:
                    ticket.hold(images=more_images, held_bytes=more_bytes)
                    assert fits
                except NoRoomError:
                    assert not fits
                assert room.images == images + ticket.images <= 6
                assert room.held_bytes == held_bytes + ticket.held_bytes <= 60
            nested(left[1:], room.images, room.held_bytes)
        assert (room.images, room.held_bytes) == (images, held_bytes)

    nested(requests, 0, 0)


def test_an_error_gives_room_back() -> None:
    room = Room(1, 10)

    def fail() -> None:
        with room.ticket() as ticket:
            ticket.hold(images=1, held_bytes=10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (room.images, room.held_bytes) == (0, 0)
