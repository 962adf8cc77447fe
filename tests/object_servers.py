"""A server that talks like S3, in a process of its own, behind a proxy that can fail."""

import http.client
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

import pytest

BUCKET = "bucket"


@dataclass
class FaultyServer:
    """Where a client reaches the server, and what it does to each request.

    `fault` is called with the method and the path of a request; what it returns is the status that
    the client gets instead of an answer, if it returns one.
    """

    url: str
    fault: Callable[[str, str], int | None] = lambda method, path: None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def fails(self, times: int, method: str = "") -> list[tuple[str, str]]:
        """Answer the next requests (of a method) with 503; returns a list that they get into."""
        failed: list[tuple[str, str]] = []

        def fault(of: str, path: str) -> int | None:
            if len(failed) < times and method in ("", of):
                failed.append((of, path))
                return 503
            return None

        self.fault = fault
        return failed


@contextmanager
def s3_server() -> Iterator[FaultyServer]:
    """A server with an empty bucket, to which S3 clients of this process and its children go."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from moto.server import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _make_bucket(port, process)
        with _proxy(port) as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", server.url)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_MAX_ATTEMPTS", "1")
            yield server
    finally:
        process.kill()
        process.wait()


def _make_bucket(port: int, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    limit = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(request).close()
            return
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < limit
            time.sleep(0.1)


@contextmanager
def _proxy(port: int) -> Iterator[FaultyServer]:
    faulty = FaultyServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or the body would wait 40 ms for the headers' receipt

        def answer(self) -> None:
            body = self._body()
            faulty.seen.append((self.command, self.path))
            status = faulty.fault(self.command, self.path)
            if status:
                self._send(status, [("Content-Type", "text/plain")], b"")
                return
            connection = http.client.HTTPConnection("127.0.0.1", port)
            headers = {
                key: value
                for key, value in self.headers.items()
                if key.lower() not in ("transfer-encoding", "connection", "expect")
            }
            connection.request(
                self.command, self.path, body, {**headers, "Content-Length": str(len(body))}
            )
            response = connection.getresponse()
            content = response.read()
            connection.close()
            self._send(response.status, response.getheaders(), content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            length = str(len(body))
            self.send_response_only(status)
            for key, value in headers:
                if key.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif key.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(key, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    faulty.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield faulty
    server.shutdown()
    server.server_close()
