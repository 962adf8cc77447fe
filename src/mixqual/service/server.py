"""From a bundle to a process that listens, until it is told to end."""

import importlib
import logging
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from mixqual.deploy import Predictor
from mixqual.errors import ServiceError
from mixqual.service.app import create_app
from mixqual.service.connections import backlog, protocol_of
from mixqual.service.engine import Degrade, Engine
from mixqual.service.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_QUEUED = 1024  # connections that the kernel holds until they are accepted
_GRACE_S = 5  # beyond the time that a request may take


class _Server(uvicorn.Server):
    """Closes the doors at the first signal; what was taken is answered, then the process ends.

    At the second one it ends without that.
    """

    def __init__(self, config: uvicorn.Config, engine: Engine, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._engine, self._say = engine, say

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        self._engine.close_doors()
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called when the service is to begin."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(_QUEUED)  # asyncio has made it as short as what it accepts at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called when the service is to end."""
        if self._engine.failure is None:
            self._say("ending: what was taken is answered; a second signal ends at once")
        await super().shutdown(sockets)


def serve(load: Callable[[], Predictor], settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then finish what was taken and return.

    `load` runs while the service listens already, and answers 503. Raises what it raises, and
    `ServiceError` if the address cannot be listened on.
    """
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if not settings.loopback and settings.api_key is None:
        say(
            f"warning: whoever reaches {host} can use the service; set a key to change that, and "
            "put a proxy in front that limits what one client may send"
        )

    def fail() -> None:
        server.should_exit = True

    engine = Engine(
        load,
        settings,
        degrade=_degrading(),
        on_ready=lambda: say(f"ready at {address}/"),
        on_failure=fail,
    )
    server = _Server(configuration(engine), engine, say)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # bad forms are no news
    with _signals_raise_nothing(), _hanging_up(server):
        server.run(sockets=[listener])
    if engine.failure is not None:
        raise engine.failure


def configuration(engine: Engine) -> uvicorn.Config:
    """How uvicorn serves an engine's routes; raises `ServiceError` if too few files may be open."""
    settings = engine.settings
    return uvicorn.Config(
        create_app(engine),
        http=protocol_of(settings),
        ws="none",
        log_level="error",  # whoever sends what is no HTTP shall not fill the log
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=backlog(),
        timeout_graceful_shutdown=math.ceil(settings.timeout_s) + _GRACE_S,
    )


def _degrading() -> Degrade | None:
    """What degrades images, where torch is installed: a service that only predicts needs none."""
    try:
        degrade: Degrade = importlib.import_module("mixqual.service.degrading").degraded
    except ModuleNotFoundError:
        return None
    return degrade


def _listen(settings: Settings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=backlog())
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServiceError(
            f"cannot listen at {where}: {reason}; give another --host or --port"
        ) from None


@contextmanager
def _signals_raise_nothing() -> Iterator[None]:
    """For uvicorn, which raises the signals that ended it once more: they have done their work."""
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _hanging_up(server: _Server) -> Iterator[None]:
    """End the service by SIGHUP as by SIGTERM, unless it is to outlive its terminal (nohup)."""
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
