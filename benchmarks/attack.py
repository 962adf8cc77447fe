"""A service under attack for minutes, with good clients beside it: are those still answered?

    python benchmarks/attack.py --minutes 10

Attackers on this machine send to a `mixqual serve` of its own, only at 127.0.0.1: images that are
dear to decode, connections that wait or stop in the middle, requests with two lengths, endless
chunks, thousands of headers, and what a page from elsewhere would send. Good clients ask beside
them. Ends with 1 if fewer than 95 % of the good requests were answered, if an answer was a 5xx
other than 503 with Retry-After, or not what its kind must get, or if memory or open files stay.
"""

import argparse
import select
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from soak import BACKBONE, SIDE, photographs

from mixqual.bench.hostile import flat_png, many_scans, one_tile
from mixqual.bench.peak_memory import private_bytes
from mixqual.bench.random_bundle import write_random_bundle
from mixqual.bench.serving import Service, serving

GOOD_CLIENTS = 4
GOOD_PAUSE_S = 0.2
ATTACKERS = 4
WAITING = 1100
"""Connections that send nothing, or half of something, at once."""
PAUSE_S = 0.05  # between two requests of an attacker
TIMEOUT_S = 40.0
LEAST_GOOD = 0.95
MOST_MORE_BYTES = 64 * 2**20
MOST_MORE_FILES = 8

_HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: image/png\r\n"
)
_HALVES = (
    b"",
    b"GET /health HT",
    _HEAD + b"X-Slow: ",
    _HEAD + b"Content-Length: 100000\r\n\r\nabc",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
)
BUSY = (429, 503)


class Kind(NamedTuple):
    """What an attacker sends, and the statuses that may come; 0 is a closed connection."""

    sent: bytes
    statuses: tuple[int, ...]


class Look(NamedTuple):
    """The service and what it has started, at one moment."""

    private_bytes: int
    files: int


def image(content: bytes) -> bytes:
    """A whole request for an answer to one image."""
    return _HEAD + f"Content-Length: {len(content)}\r\n\r\n".encode() + content


def kinds(*, heavy: bool = True) -> Mapping[str, Kind]:
    """All that attackers send; `heavy` are those that take seconds to make, too."""
    photo = photographs()[0]
    length = f"Content-Length: {len(photo)}\r\n".encode()
    chunked = b"Transfer-Encoding: chunked\r\n"
    evil = image(photo).replace(b"Host: 127.0.0.1", b"Host: evil.example")
    site = image(photo).replace(b"Host", b"Origin: http://evil.example\r\nHost")
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(10_000))
    light = {
        "thousands of scans": Kind(image(many_scans(3400, side=1000)), (413, *BUSY)),
        "two lengths": Kind(_HEAD + length + chunked + b"\r\n" + photo, (400, *BUSY)),
        "an endless chunk": Kind(_HEAD + chunked + b"\r\n" + b"f" * 16 + b"\r\nabc", (400, *BUSY)),
        "10,000 headers": Kind(_HEAD + many + b"\r\n", (400, 431, *BUSY)),
        "a header of 70 KB": Kind(_HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n", (400, 431, *BUSY)),
        "another name": Kind(evil, (403, *BUSY)),
        "another site": Kind(site, (403, *BUSY)),
    }
    if not heavy:
        return light
    return {
        **light,
        "a hundred scans": Kind(image(many_scans(75, side=5000)), (200, 422, *BUSY)),
        "1 x 50,000,000": Kind(image(flat_png(1, 50_000_000)), (413, *BUSY)),
        "7000 x 7000, flat": Kind(image(flat_png(7000, 7000)), (413, *BUSY)),
        "4000 x 4000, flat": Kind(image(flat_png(4000, 4000)), (200, *BUSY)),
        "one large tile": Kind(image(one_tile(40_000)), (413, *BUSY)),
    }


def attack(bundle: Path, seconds: float) -> tuple[Counter[str], Counter[str], list[float], bool]:
    """Attack for so long; the good answers, the others, latencies, and whether all came back."""
    good: Counter[str] = Counter()
    other: Counter[str] = Counter()
    latencies: list[float] = []
    sent = kinds()
    with serving(bundle) as service:
        for _ in range(20):
            ask(service, image(photographs()[0]))
        before = look(service)
        end = time.monotonic() + seconds
        peak = before
        with ThreadPoolExecutor(GOOD_CLIENTS + ATTACKERS + 1) as pool:
            tasks = [
                pool.submit(wait_about, service, end),
                *(pool.submit(keep_on, service, sent, other, n, end) for n in range(ATTACKERS)),
                *(
                    pool.submit(be_good, service, good, latencies, n, end)
                    for n in range(GOOD_CLIENTS)
                ),
            ]
            while time.monotonic() < end:
                time.sleep(0.5)
                now = look(service)
                peak = Look(*map(max, zip(peak, now, strict=True)))
            for task in tasks:
                task.result()
        back = False
        for _ in range(60):  # what was left half way has its time limits
            time.sleep(0.5)
            after = look(service)
            back = (
                after.private_bytes <= before.private_bytes + MOST_MORE_BYTES
                and after.files <= before.files + MOST_MORE_FILES
            )
            if back:
                break
    for name, each in (("before", before), ("at most", peak), ("after", after)):
        print(f"{name}: {each.private_bytes / 2**20:.0f} MiB, {each.files} files")
    return good, other, latencies, back


def be_good(
    service: Service, good: Counter[str], latencies: list[float], number: int, end: float
) -> None:
    """Ask for an answer to a photograph, again and again."""
    photos = photographs()
    while time.monotonic() < end:
        number += 1
        start = time.monotonic()
        status, retry = ask(service, image(photos[number % len(photos)]))
        with _LOCK:
            good[_came(status, retry)] += 1
            latencies.append(time.monotonic() - start)
        time.sleep(GOOD_PAUSE_S)


def keep_on(
    service: Service, sent: Mapping[str, Kind], other: Counter[str], number: int, end: float
) -> None:
    """Send one kind after the other."""
    names = list(sent)
    while time.monotonic() < end:
        number += 1
        name = names[number % len(names)]
        status, retry = ask(service, sent[name].sent)
        wrong = "" if status in (0, *sent[name].statuses) else "WRONG "
        with _LOCK:
            other[f"{wrong}{name}: {_came(status, retry)}"] += 1
        time.sleep(PAUSE_S)


def wait_about(service: Service, end: float) -> None:
    """Hold many connections that wait, and open new ones for those that were closed."""
    with ExitStack() as stack:
        held: list[socket.socket] = []
        while time.monotonic() < end:
            for each in ended(held):
                held.remove(each)
                each.close()
            for number in range(min(50, WAITING - len(held))):
                with suppress(OSError):
                    each = stack.enter_context(connect(service))
                    held.append(each)
                    each.sendall(_HALVES[number % len(_HALVES)])
            time.sleep(0.1)


def ended(held: list[socket.socket]) -> list[socket.socket]:
    """Those to which something came, if only their end."""
    poll = select.poll()
    by_number = {each.fileno(): each for each in held}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(0)]


def ask(service: Service, sent: bytes) -> tuple[int, bool]:
    """The status of the answer (0 if the connection ends without), and if it says Retry-After."""
    found = b""
    with suppress(OSError), connect(service) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        while piece := connection.recv(65536):
            found += piece
    head = found.partition(b"\r\n\r\n")[0].lower()
    status = int(found[9:12]) if found.startswith(b"HTTP/1.1 ") else 0
    return status, b"\r\nretry-after:" in head


def connect(service: Service) -> socket.socket:
    """A connection to the service, which is on this machine."""
    address = urlsplit(service.address)
    assert address.hostname == "127.0.0.1", "an attack is for this machine alone"
    return socket.create_connection((address.hostname, address.port or 80), timeout=TIMEOUT_S)


def look(service: Service) -> Look:
    """Memory of the service and the processes that it has started, and its open files."""
    tasks = Path(f"/proc/{service.process}/task").glob("*/children")
    children = [number for each in tasks for number in each.read_text().split()]
    total = private_bytes(service.process)
    for number in children:
        with suppress(OSError):
            total += private_bytes(int(number))
    return Look(total, len(list(Path(f"/proc/{service.process}/fd").iterdir())))


def _came(status: int, retry: bool) -> str:
    return f"{status}{' with Retry-After' if retry else ''}"


_LOCK = threading.Lock()


def verdict(good: Counter[str], other: Counter[str], back: bool) -> list[str]:
    """What is wrong."""
    found = []
    answered = good["200"] / max(1, good.total())
    if answered < LEAST_GOOD:
        found.append(f"only {answered:.1%} of the good requests were answered")
    for name, count in (good + other).items():
        came = name.rpartition(": ")[2]
        if (came.startswith("5") and came != "503 with Retry-After") or name.startswith("WRONG"):
            found.append(f"{count} times {name}")
    if not back:
        found.append("memory or files do not come back")
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_random_bundle(Path(folder) / "b.mixqual", BACKBONE, SIDE)
        good, other, latencies, back = attack(bundle, 60 * asked.minutes)
    for name, count in sorted(other.items()):
        print(f"{count:6d}  {name}")
    for name, count in sorted(good.items()):
        print(f"{count:6d}  good: {name}")
    latencies.sort()
    for share in (0.5, 0.95, 0.99):
        print(f"{share:.0%} of the good within {latencies[int(share * len(latencies))]:.2f} s")
    wrong = verdict(good, other, back)
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
