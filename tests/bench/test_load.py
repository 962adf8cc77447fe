"""Load on a server that counts for itself."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mixqual.bench.load import keep_busy, send_at_rate

PAUSE = 0.05


class Counting(ThreadingHTTPServer):
    """Answers after a pause; every third request is refused."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen: list[bytes] = []
        self.lock = threading.Lock()


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Counting)
        with self.server.lock:
            self.server.seen.append(body)
            refused = len(self.server.seen) % 3 == 0
        time.sleep(PAUSE)
        self.send_response(429 if refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: Counting) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def test_busy_clients_wait_for_their_answers(server: Counting) -> None:
    start = time.perf_counter()
    per_second = keep_busy(address(server), [b"a", b"b"], clients=3, seconds=0.6)
    took = time.perf_counter() - start
    good = len(server.seen) - len(server.seen) // 3
    assert per_second == pytest.approx(good / took, rel=0.1)
    assert len(server.seen) <= 3 * (took / PAUSE + 1)
    assert set(server.seen) == {b"a", b"b"}


def test_a_rate_is_kept_whatever_the_answers(server: Counting) -> None:
    found = send_at_rate(address(server), [b"a"], per_second=60, seconds=1)
    assert found.statuses == {200: 40, 429: 20}
    assert len(server.seen) == 60
    assert len(found.latencies) == 40
    assert found.latencies == sorted(found.latencies)
    assert found.latencies[0] >= PAUSE
    assert found.seconds == pytest.approx(1, abs=0.4)


def test_no_answer_counts_as_none() -> None:
    found = send_at_rate("http://127.0.0.1:9/", [b"a"], per_second=20, seconds=0.2)
    assert found.statuses == {0: 4}
    assert found.latencies == []


def test_only_this_machine_is_asked() -> None:
    with pytest.raises(AssertionError, match="this machine alone"):
        send_at_rate("http://192.0.2.1/", [b"a"], per_second=10, seconds=0.1)
