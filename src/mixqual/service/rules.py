"""What every request must keep to before a route sees it, and what every route answers alike."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from mixqual.service.connections import FULL
from mixqual.service.refusals import Refusal
from mixqual.service.settings import Settings

_MOST_HEADERS = 100
_MOST_HEADER_BYTES = 2**14
_FOR_ALL = ("/health", "/ready")
_LOOPBACK = "localhost"


class Rules:
    """ASGI middleware: one framing, headers of a sane size, known names, HEAD and OPTIONS."""

    def __init__(self, app: ASGIApp, settings: Settings, routes: Sequence[BaseRoute]) -> None:
        self._app, self._settings, self._routes = app, settings, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            headers = {**refusal.headers, "Connection": "close"}
            response = JSONResponse({"error": refusal.text}, refusal.status, headers)
            await response(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (methods := self._methods(scope)):
            await Response(status_code=204, headers={"Allow": ", ".join(methods)})(
                scope, receive, send
            )
        elif scope["method"] == "HEAD":
            # The server leaves out the body, as the method in its own scope is still HEAD.
            inner = {**scope, "method": "GET"}
            await self._app(inner, receive, send)
            scope["route"] = inner.get("route")
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        size = sum(len(name) + len(value) for name, value in headers.raw)
        if len(headers.raw) > _MOST_HEADERS or size > _MOST_HEADER_BYTES:
            return Refusal(
                431, f"more than {_MOST_HEADERS} headers, or {_MOST_HEADER_BYTES} bytes of them"
            )
        if "content-length" in headers and "transfer-encoding" in headers:
            return Refusal(400, "give Content-Length or Transfer-Encoding, not both")
        if scope.get("state", {}).get(FULL) and scope["path"] not in _FOR_ALL:
            return Refusal(503, "too many connections; try again later", {"Retry-After": "1"})
        return self._stranger(scope["method"], headers)

    def _stranger(self, method: str, headers: Headers) -> Refusal | None:
        """Refuse what a page from elsewhere makes a browser send, where no key is asked for."""
        settings = self._settings
        if settings.api_key is not None:
            return None
        host = headers.get("host")
        names = settings.hosts
        if host is not None and (names or settings.loopback) and not _known(host, names):
            return Refusal(
                403, f"the service does not answer to the name {_name(host)!a}; see --allow-host"
            )
        origin = headers.get("origin")
        if method in ("GET", "HEAD", "OPTIONS") or origin is None:
            return None
        site = urlsplit(origin).netloc if origin.isprintable() else ""
        if not site or (site != host and not (names and _known(site, names))):
            return Refusal(403, "pages of other sites may not use the service")
        return None

    def _methods(self, scope: Scope) -> list[str]:
        """All methods of the routes at a path."""
        found: set[str] = set()
        for route in self._routes:
            if scope["path"] == "*" or route.matches(scope)[0] is not Match.NONE:
                found |= set(getattr(route, "methods", None) or ())
        if not found:
            return []
        return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


def _known(host: str, names: Iterable[str]) -> bool:
    name = _name(host)
    if name in names or name == _LOOPBACK:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name in `name:port`, `name` or `[address]:port`, in lower case."""
    inside, bracket, _ = host.removeprefix("[").partition("]")
    return (inside if bracket else host.partition(":")[0]).lower().rstrip(".")
