"""Who holds a connection, and for how long, so that no client keeps the others out.

A connection that waits for a request, or for the rest of one, has a time limit, and makes place for
a new one when all places are taken: first those of the address that holds most, the oldest first.
"""

import asyncio
import ipaddress
import os
import resource
from collections import Counter
from typing import final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mixqual.errors import ServiceError
from mixqual.service.settings import Settings

FULL = "full"
"""In the state of a request: all places are taken by others at work, and this one has none."""

_BACKLOG = 64  # connections that are accepted at once, before any of them is looked at
_ROUNDS = 3  # of the event loop until one that has no place is closed
_SPARE = 16  # connections without a place, which can only ask how the service is
_OTHER_FILES = 32  # modules, pipes, a file that is loaded
_SPARE_IDLE_S = 2.0
_FEWEST = 8


def backlog() -> int:
    """How many connections are accepted at once: fewer where few files may be open."""
    return max(4, min(_BACKLOG, _most_files() // 16))


def places(wanted: int) -> int:
    """How many connections the limit of open files (`ulimit -n`) leaves of those `wanted`.

    Raises `ServiceError` if they are too few to serve anybody.
    """
    others = len(os.listdir("/dev/fd")) + _OTHER_FILES + _SPARE + _ROUNDS * backlog()
    left = _most_files() - others
    if left < _FEWEST:
        raise ServiceError(
            f"{_most_files()} open files are allowed (ulimit -n), which leaves no room for "
            f"connections; allow {others + _FEWEST} or more"
        )
    return min(wanted, left)


def protocol_of(settings: Settings) -> type[asyncio.Protocol]:
    """The HTTP of a service, whose connections share its limits; raises `ServiceError`."""
    shared = _Places(
        places(settings.max_connections),
        settings.max_connections_per_address,
        settings.idle_s,
        settings.max_bytes,
    )

    class Connection(_Connection):
        places = shared

    return Connection


class _Connection(H11Protocol):
    places: "_Places"
    address: str
    since: float
    """When it was made, its last answer was given, or its request began."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.since = self.loop.time()
        self.address = _network(self.client[0] if self.client else "")
        if not self.places.admit(self):
            self.app_state = {**self.app_state, FULL: True}

    def connection_lost(self, exc: Exception | None) -> None:
        self.places.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        # No public name of h11 tells a chunk's size, and it waits for all of it. To read the sizes
        # here as well would be a second parser, which could be made to disagree with h11. Should
        # the name go, such a chunk is refused late: by what has come of it, or by the time limit.
        chunk = getattr(self.conn._reader, "_bytes_in_chunk", 0)
        if chunk > self.places.most_bytes and not self.transport.is_closing():
            self.send_400_response("A chunk is longer than a body may be.")

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if not self.idle and not self.cycle.more_body:
            self.places.works(self)
        elif self.cycle is not before:
            self._waits()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None:  # whose answer nobody shall send any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer has begun
            self.transport.close()

    def on_response_complete(self) -> None:
        self._waits()
        super().on_response_complete()

    def _waits(self) -> None:
        self.since = self.loop.time()
        self.places.waits(self)

    @property
    def idle(self) -> bool:
        """Whether it waits for a request, or for its answer to be fetched."""
        return self.cycle is None or self.cycle.response_complete

    def end(self) -> None:
        """Close it at once."""
        if self.idle and not self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()


@final
class _Places:
    """The connections of one service; for the thread of the event loop."""

    def __init__(self, most: int, per_address: int, idle_s: float, most_bytes: int) -> None:
        self._most, self._per_address, self._idle_s = most, per_address, idle_s
        self.most_bytes = most_bytes
        self._held: dict[_Connection, None] = {}
        self._spare: dict[_Connection, None] = {}
        self._by_address: Counter[str] = Counter()
        self._waiting: dict[str, dict[_Connection, None]] = {}
        """By address: all but those whose whole request is at work; the oldest comes first."""
        self._looks = False

    def admit(self, connection: _Connection) -> bool:
        """Give a new connection a place, if need be that of one that is not at work."""
        self._look_later(connection.loop)
        crowded = self._by_address[connection.address] >= self._per_address
        if crowded or len(self._held) >= self._most:
            weakest = self._weakest(connection.address if crowded else None)
            if weakest is None:
                self._spare[connection] = None
                if len(self._spare) > _SPARE:
                    self._end(next(iter(self._spare)))
                return False
            self._end(weakest)
        self._held[connection] = None
        self._by_address[connection.address] += 1
        self.waits(connection)
        return True

    def waits(self, connection: _Connection) -> None:
        """Say that a connection waits from now on for a request, or for the rest of one."""
        if connection in self._held:
            waiting = self._waiting.setdefault(connection.address, {})
            waiting.pop(connection, None)
            waiting[connection] = None

    def works(self, connection: _Connection) -> None:
        """Say that its whole request is there: until the answer nobody takes its place."""
        waiting = self._waiting.get(connection.address, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(connection.address, None)

    def forget(self, connection: _Connection) -> None:
        """Take the place of a connection back, if it has one."""
        self._spare.pop(connection, None)
        self.works(connection)
        if connection in self._held:
            del self._held[connection]
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def _weakest(self, address: str | None) -> _Connection | None:
        """The oldest that waits, of an address or of the one that holds most; None if all work."""
        if address is None and self._waiting:
            address = max(self._waiting, key=self._by_address.__getitem__)
        return next(iter(self._waiting.get(address or "", {})), None)

    def _end(self, connection: _Connection) -> None:
        self.forget(connection)
        connection.end()

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._looks:
            self._looks = True
            loop.call_later(min(1.0, self._idle_s / 4), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End those that have been idle for too long."""
        now = loop.time()
        for held, most_s in ((self._held, self._idle_s), (self._spare, _SPARE_IDLE_S)):
            for each in [each for each in held if each.idle and now - each.since > most_s]:
                self._end(each)
        self._looks = False
        if self._held or self._spare:
            self._look_later(loop)


def _network(address: str) -> str:
    """What one client is known by: in IPv6 it has a whole network of addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return address


def _most_files() -> int:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**20 if soft == resource.RLIM_INFINITY else soft
