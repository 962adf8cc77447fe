"""The page at /: three files of the package, and the rules for what it may load."""

from importlib.resources import files

from fastapi import FastAPI, Response

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_site(app: FastAPI) -> None:
    """Serve the page, which needs no key: it asks for one."""
    for route, (name, media) in _FILES.items():
        _add_file(app, route, files("mixqual.service.page").joinpath(name).read_bytes(), media)


def _add_file(app: FastAPI, route: str, content: bytes, media: str) -> None:
    headers = {"Content-Type": media, "Content-Security-Policy": _POLICY}

    @app.get(route, include_in_schema=False)
    async def file() -> Response:
        return Response(content, headers=headers)
