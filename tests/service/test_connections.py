"""Connections that send nothing, or half of something, do not keep good clients out."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import killable
import pytest
from running import form, png, running, wait_until
from test_server import address, serve_here

from mixqual.errors import ServiceError
from mixqual.service.connections import _network, places

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
HALF = (
    b"",
    b"GET /health HT",
    HEAD + b"X-Slow: ",
    HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 10,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
)

CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = (
    b"",
    b"no HTTP\r\n\r\n",
    CHUNKS + b"ffffffffffffffff\r\nabc",
    CHUNKS + b"3\r\nabcdef",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nno HTTP\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
)


@contextmanager
def connected(client: httpx.Client, sent: bytes = b"") -> Iterator[socket.socket]:
    """A connection on which so much was sent."""
    where = (str(client.base_url.host), client.base_url.port)
    with socket.create_connection(where, timeout=20) as connection:
        connection.sendall(sent)
        yield connection


def seconds_until_closed(connection: socket.socket) -> float:
    start = time.monotonic()
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - start


def fresh(client: httpx.Client, path: str = "/health") -> httpx.Response:
    """What a client that has no connection yet is answered."""
    return httpx.get(client.base_url.join(path), timeout=20)


@pytest.fixture(scope="module")
def small(random_bundle: Path) -> Iterator[httpx.Client]:
    """A client of a service with 12 places and little patience."""
    with running(random_bundle, max_connections=12, idle_s=0.6) as client:
        yield client


@pytest.mark.parametrize("sent", HALF)
def test_what_waits_gives_its_place_to_who_asks(small: httpx.Client, sent: bytes) -> None:
    """Three times as many as there are places, and all of them together, at any moment."""
    with ExitStack() as stack:
        for _ in range(36):
            stack.enter_context(connected(small, sent))
        for _ in range(4):
            answer = httpx.post(small.base_url.join("/predict"), files=form(png()), timeout=20)
            assert answer.status_code == 200


@pytest.mark.parametrize("sent", HALF)
def test_what_waits_is_closed_in_time(small: httpx.Client, sent: bytes) -> None:
    with connected(small, sent) as connection:
        assert seconds_until_closed(connection) < 6


def test_a_head_that_trickles_is_no_reason_to_wait(small: httpx.Client) -> None:
    with connected(small, b"GET /health HTTP/1.1\r\n") as connection:
        start = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - start < 10:
                connection.sendall(b"X")
                time.sleep(0.05)
        assert time.monotonic() - start < 6


def test_an_answer_that_is_not_fetched_is_given_up(small: httpx.Client) -> None:
    request = b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect((str(small.base_url.host), small.base_url.port))
        slow.sendall(request * 300)
        time.sleep(3)
        slow.settimeout(10)
        assert seconds_until_closed(slow) < 8


def test_one_address_does_not_hold_all_places(random_bundle: Path) -> None:
    """The limit of one address is kept by it alone: another one has the rest."""
    with (
        running(
            random_bundle, max_connections=20, max_connections_per_address=8, idle_s=20
        ) as client,
        ExitStack() as stack,
    ):
        held = [stack.enter_context(connected(client)) for _ in range(30)]
        assert fresh(client).status_code == 200
        closed = 0
        for each in held:
            each.setblocking(False)
            try:
                closed += not each.recv(1)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                closed += 1
        assert 22 <= closed <= 24  # the client of the fixture and the new one have places


def test_when_all_places_are_at_work_it_says_when_to_come_again(random_bundle: Path) -> None:
    limits = {"max_batch": 100, "max_wait_ms": 1500, "max_connections": 8}
    body = png()
    whole = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with running(random_bundle, **limits) as client, ExitStack() as stack:
        client.close()  # whose connection would be one of the places
        at_work = [stack.enter_context(connected(client, whole)) for _ in range(8)]
        wait_until(lambda: fresh(client, "/model").status_code == 503)
        refused = fresh(client, "/model")
        assert refused.headers["Retry-After"] == "1"
        assert "too many connections" in refused.json()["error"]
        assert fresh(client, "/health").status_code == 200
        assert fresh(client, "/ready").status_code == 200
        for each in at_work:
            assert each.recv(65536).startswith(b"HTTP/1.1 200")


def serve_with_few_files(said: str, files: int, *arguments: str) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    serve_here(said, *arguments)


def test_the_limit_of_open_files_is_never_met(random_bundle: Path, tmp_path: Path) -> None:
    """And nothing that is sent makes the log longer."""
    said = tmp_path / "said"
    process = killable.start(
        serve_with_few_files, str(said), 160, str(random_bundle), "--port", "0"
    )
    try:
        url = httpx.URL(address(said))
        with httpx.Client(base_url=url, timeout=20) as client, ExitStack() as stack:
            for number in range(400):
                stack.enter_context(connected(client, BROKEN[number % len(BROKEN)]))
            assert client.get("/health").status_code == 200
            assert client.post("/predict", files=form(png())).status_code == 200
    finally:
        process.terminate()
        process.join(20)
    assert process.exitcode == 0
    assert len(said.read_text().splitlines()) == 2  # no more than that it is ready, and ends


def test_too_few_files_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40, 40))
    with pytest.raises(ServiceError, match=r"40 open files are allowed \(ulimit -n\)"):
        places(1024)


def test_an_address_is_a_client() -> None:
    assert _network("192.0.2.7") == "192.0.2.7"
    assert _network("2001:db8::1") == _network("2001:db8::ffff:1") != _network("2001:db8:0:1::1")
    assert _network("::ffff:192.0.2.7") != _network("::ffff:192.0.2.8")
