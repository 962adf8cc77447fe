"""Load on a service, from a process of its own: only on this machine, and for a stated time."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

_PATH = "/predict"
_HEADERS = {"Content-Type": "application/octet-stream"}
_TIMEOUT_S = 60.0
_NO_ANSWER = 0
_MOST_AT_ONCE = 400


class Answered(NamedTuple):
    """What became of requests that were sent at a fixed rate."""

    seconds: float
    statuses: dict[int, int]
    """Status to how many had it; 0 is no answer at all."""
    latencies: list[float]
    """Seconds from when a request was due to its answer, of those with status 200; sorted."""


def keep_busy(address: str, contents: Sequence[bytes], clients: int, seconds: float) -> float:
    """Answers a second to clients that each send an image as soon as the last is answered."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        counts = pool.map(
            lambda number: _one_after_another(address, contents, number, start + seconds),
            range(clients),
        )
        answered = sum(counts)
    return answered / (time.perf_counter() - start)


def send_at_rate(
    address: str, contents: Sequence[bytes], per_second: float, seconds: float
) -> Answered:
    """Send images at a fixed rate, whatever becomes of the ones before."""
    start = time.perf_counter()
    due = [start + number / per_second for number in range(int(per_second * seconds))]
    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        sent = []
        for number, moment in enumerate(due):
            time.sleep(max(0.0, moment - time.perf_counter()))
            sent.append(pool.submit(_status, address, contents[number % len(contents)], moment))
        took = time.perf_counter() - start
        ended = [each.result() for each in sent]
    latencies = sorted(latency for status, latency in ended if status == 200)
    return Answered(took, dict(Counter(status for status, _ in ended)), latencies)


def _one_after_another(address: str, contents: Sequence[bytes], number: int, end: float) -> int:
    connection, answered = _connect(address), 0
    while time.perf_counter() < end:
        number += 1
        connection.request("POST", _PATH, contents[number % len(contents)], _HEADERS)
        response = connection.getresponse()
        response.read()
        answered += response.status == 200
    connection.close()
    return answered


def _status(address: str, content: bytes, due: float) -> tuple[int, float]:
    connection = _connect(address)
    try:
        connection.request("POST", _PATH, content, _HEADERS)
        response = connection.getresponse()
        response.read()
        return response.status, time.perf_counter() - due
    except (OSError, HTTPException):
        return _NO_ANSWER, 0.0
    finally:
        connection.close()


def _connect(address: str) -> HTTPConnection:
    parts = urlsplit(address)
    assert parts.hostname == "127.0.0.1", "load is for this machine alone"
    return HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
