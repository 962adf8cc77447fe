"""What HTTP asks of requests and answers, with bytes as they are sent."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import form, png, running

BODY = png()
TYPE = b"Content-Type: image/png"


@pytest.fixture(scope="module")
def service(random_bundle: Path) -> Iterator[httpx.Client]:
    with running(random_bundle, hosts=("shop.example",)) as client:
        yield client


def answer(client: httpx.Client, head: list[bytes], body: bytes = b"") -> bytes:
    """All that comes back for these lines, after which the connection is closed."""
    where = (str(client.base_url.host), client.base_url.port)
    with socket.create_connection(where, timeout=20) as connection:
        connection.sendall(b"\r\n".join([*head, b"", body]))
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def post(client: httpx.Client, *headers: bytes, body: bytes = BODY, host: bytes = b"localhost"):  # type: ignore[no-untyped-def]
    lines = [b"POST /predict HTTP/1.1", b"Host: " + host, b"Connection: close", TYPE, *headers]
    return answer(client, lines, body)


def status(found: bytes) -> int:
    assert found.startswith(b"HTTP/1.1 ")
    return int(found[9:12])


def chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


LENGTH = f"Content-Length: {len(BODY)}".encode()
CHUNKED = b"Transfer-Encoding: chunked"


def test_a_body_has_one_length(service: httpx.Client) -> None:
    assert status(post(service, LENGTH)) == 200
    assert status(post(service, CHUNKED, body=chunked(BODY))) == 200
    for headers in ((LENGTH, CHUNKED), (CHUNKED, LENGTH)):
        refused = post(service, *headers, body=chunked(BODY))
        assert status(refused) == 400
        assert b"not both" in refused


@pytest.mark.parametrize("size", [b"f" * 16, b"f" * 20, b"7" + b"f" * 15, b"3000000"])
def test_a_chunk_that_no_body_may_hold_is_refused_at_once(
    service: httpx.Client, size: bytes
) -> None:
    start = time.monotonic()
    assert status(post(service, CHUNKED, body=size + b"\r\nabc")) == 400
    assert time.monotonic() - start < 5


def test_headers_have_a_size(service: httpx.Client) -> None:
    few = [b"X-%d: 1" % number for number in range(90)]
    assert status(post(service, LENGTH, *few)) == 200
    for headers in (
        [b"X-%d: 1" % number for number in range(10_000)],
        [b"X: " + b"a" * 70_000],
        [b"X: " + b"a" * 17_000],
    ):
        assert status(post(service, LENGTH, *headers)) in (400, 431)


def test_head_is_get_without_a_body(service: httpx.Client) -> None:
    for path in ("/", "/health", "/ready", "/model", "/page.js", "/openapi.json"):
        whole, head = service.get(path), service.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name]
    assert service.head("/nowhere").status_code == 404
    assert service.head("/predict").status_code == 405
    assert service.get("/health").status_code == 200  # on the same connection


def test_options_tell_what_there_is(service: httpx.Client) -> None:
    for path, methods in (("/predict", "OPTIONS, POST"), ("/model", "GET, HEAD, OPTIONS")):
        found = service.options(path)
        assert (found.status_code, found.headers["Allow"]) == (204, methods)
        assert "access-control-allow-origin" not in found.headers
    assert service.options("/nowhere").status_code == 404
    assert status(answer(service, [b"OPTIONS * HTTP/1.1", b"Host: x", b"Connection: close"])) == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"localhost:8000", 200),
        (b"127.0.0.1", 200),
        (b"127.8.8.8:1", 200),
        (b"[::1]:8000", 200),
        (b"LOCALHOST", 200),
        (b"shop.example", 200),
        (b"evil.example", 403),
        (b"evil.example:8000", 403),
        (b"localhost.evil.example", 403),
        (b"127.0.0.1.evil.example", 403),
        (b"[::2]", 403),
        (b"", 403),
    ],
)
def test_names_that_it_answers_to(service: httpx.Client, host: bytes, expected: int) -> None:
    assert status(post(service, LENGTH, host=host)) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost", 200),
        ("https://shop.example", 200),
        ("http://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
    ],
)
def test_pages_of_other_sites_are_not_served(
    service: httpx.Client, origin: str, expected: int
) -> None:
    found = post(service, LENGTH, b"Origin: " + origin.encode())
    assert status(found) == expected


def test_with_a_key_names_do_not_matter(random_bundle: Path) -> None:
    """No page can send it, and a proxy may call the service as it likes."""
    with running(random_bundle, api_key="k") as client:
        headers = {"Host": "models.example", "Origin": "https://elsewhere.example"}
        assert client.post("/predict", files=form(BODY), headers=headers).status_code == 200
