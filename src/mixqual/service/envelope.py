"""What surrounds every request: an id, safe headers, a clock, and no traceback in an answer."""

import logging
import secrets
import time
from collections.abc import Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixqual.service.metrics import Metrics
from mixqual.service.refusals import kind_of

LOG = logging.getLogger("mixqual.service")

_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message.get("headers", ()), *_HEADERS, own]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            LOG.exception("request %s", request_id)
            if status:
                raise
            text = f"a mistake of the service; its log has more under {request_id}"
            await JSONResponse({"error": text}, 500)(scope, receive, send_with_headers)
        finally:
            if status:
                self._count(scope, status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.request_seconds.labels(route, str(status)).observe(seconds)
        if status >= 400:
            self._metrics.errors.labels(kind_of(status)).inc()
