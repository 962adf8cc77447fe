"""A service under good and bad requests for minutes: is every one answered, and does it grow?

    python benchmarks/soak.py --minutes 10

Clients on this machine send whole and broken images, forms, bodies that are too large, of the wrong
type, cut off or slow, to a `mixqual serve` of its own, each as soon as the last is answered. Before
that, forms of all lengths have the networks see every size of batch. Counts the answers by what was
sent, and fits a line to the private memory of the service. Ends with 1 if a request had no answer
or not the expected one, or if memory, threads or open files keep growing.
"""

import argparse
import io
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from random import Random
from typing import NamedTuple, final
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from scipy import stats

from mixqual.bench.peak_memory import private_bytes
from mixqual.bench.random_bundle import write_random_bundle
from mixqual.bench.serving import Service, serving
from mixqual.service import Settings

BACKBONE, SIDE = "timm/test_efficientnet", 64
MOST_BYTES = 400_000
TIMEOUT_S = 10.0
CLIENTS = 8
WARM = 0.25
"""The share of the time at the start in which memory may settle."""
PERIODS = 16
"""The line is fitted to the means of so many parts of the rest, which are nearly independent."""
MOST_GROWTH = 20.0
"""MiB an hour, by the lower end of the interval."""
BOUNDARY = b"b7c1"
FORM_TYPE = "multipart/form-data; boundary=" + BOUNDARY.decode()


class Sample(NamedTuple):
    """The service at one moment."""

    seconds: float
    requests: int
    private_bytes: int
    files: int
    threads: int


@final
@dataclass
class Seen:
    """What became of requests, counted by many threads."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By what was sent, and what came: a status, or what else."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, came: str) -> None:
        """Count one."""
        with self.lock:
            self.answers[kind, came] += 1

    @property
    def total(self) -> int:
        """Of all kinds."""
        with self.lock:
            return self.answers.total()


class Growth(NamedTuple):
    """The slope of a line, and its 95 % interval (Student's t)."""

    slope: float
    low: float
    high: float


Send = Callable[[HTTPConnection, Random], str]
"""Sends one request; returns what came: a status, or "cancelled"."""


def kinds(photos: Sequence[bytes], pause_s: float, timeout_s: float) -> Mapping[str, Send]:
    """The requests there are, by names that begin with what must come."""
    broken = [photo[: len(photo) // 2] for photo in photos]

    def whole(connection: HTTPConnection, random: Random) -> str:
        return _post(connection, random.choice(photos), "image/png")

    def form(connection: HTTPConnection, random: Random) -> str:
        contents = [random.choice(photos) for _ in range(random.randint(1, 4))]
        return _post(connection, _form([*contents, random.choice(broken)]), FORM_TYPE)

    def bad_image(connection: HTTPConnection, random: Random) -> str:
        return _post(connection, random.choice((*broken, b"", b"no image")), "image/png")

    def slow(connection: HTTPConnection, random: Random) -> str:
        return _in_pieces(connection, random.choice(photos), pause_s)

    def too_slow(connection: HTTPConnection, random: Random) -> str:
        return _in_pieces(connection, random.choice(photos), 1.3 * timeout_s)

    def cancelled(connection: HTTPConnection, random: Random) -> str:
        content = random.choice(photos)
        _begin(connection, len(content), "image/png")
        connection.send(content[: random.randrange(len(content) + 1)])  # at times all of it
        time.sleep(random.choice((0.0, pause_s / 4)))
        connection.close()
        return "cancelled"

    return {
        "200 whole": whole,
        "200 form": form,
        "200 broken image": bad_image,
        "200 slow": slow,
        "cancelled": cancelled,
        "400 cut form": lambda c, r: _post(c, _form([r.choice(photos)])[:-9], FORM_TYPE),
        "404 no route": lambda c, _: _answer(c, "GET", "/nowhere"),
        "408 too slow": too_slow,
        "413 too large": lambda c, _: _post(c, bytes(MOST_BYTES + 1), "image/png"),
        "415 wrong type": lambda c, _: _post(c, b'{"images": []}', "application/json"),
        "422 other part": lambda c, r: _post(c, _form([r.choice(photos)], b"file"), FORM_TYPE),
    }


def soak(bundle: Path, seconds: float, timeout_s: float) -> tuple[Seen, list[Sample]]:
    """Send for so many seconds; what came, and the service about every half second."""
    options = ("--max-bytes", str(MOST_BYTES), "--timeout", str(timeout_s))
    seen, samples = Seen(), []
    with serving(bundle, *options) as service, ThreadPoolExecutor(CLIENTS + 1) as pool:
        meet_batches(service, seen)
        end = time.monotonic() + seconds
        every = kinds(photographs(), min(0.4, timeout_s / 8), timeout_s)
        slowest = {"408 too slow": every.pop("408 too slow")}
        clients = [pool.submit(_keep_on, service, every, seen, end, n) for n in range(CLIENTS)]
        if seconds > timeout_s:  # it takes as long, and has a client of its own
            clients.append(pool.submit(_keep_on, service, slowest, seen, end, CLIENTS))
        start = time.monotonic()
        while time.monotonic() < end:
            samples.append(_look(service, seen, time.monotonic() - start))
            time.sleep(0.5)
        for client in clients:
            client.result()
    return seen, samples


def meet_batches(service: Service, seen: Seen) -> None:
    """Have the networks see each size of batch once, as they keep what they prepare for each.

    The images of a form are a batch if nobody else asks.
    """
    photo = photographs()[0]
    for count in range(1, Settings().max_batch + 1):
        with _connected(service) as connection:
            seen.add("200 form", _post(connection, _form([photo] * count), FORM_TYPE))


def wrong(seen: Seen) -> dict[str, int]:
    """What came that had to be something else, with how often."""
    return {
        f"{kind}: {came}": count
        for (kind, came), count in seen.answers.items()
        if came != kind.split()[0]
    }


def growth(samples: Sequence[Sample], per: Callable[[Sample], float]) -> Growth:
    """MiB of private memory for one of `per`, without the time in which it settles."""
    settled = samples[int(WARM * len(samples)) :]
    parts = np.array_split(np.arange(len(settled)), min(PERIODS, len(settled)))
    x = [np.mean([per(settled[n]) for n in part]) for part in parts]
    y = [np.mean([settled[n].private_bytes / 2**20 for n in part]) for part in parts]
    line = stats.linregress(x, y)
    reach = stats.t.ppf(0.975, len(parts) - 2) * line.stderr
    return Growth(line.slope, line.slope - reach, line.slope + reach)


def keeps_growing(samples: Sequence[Sample]) -> list[str]:
    """What of the service grew with time: memory by its line, others by their highest numbers."""
    found = []
    if growth(samples, lambda sample: sample.seconds / 3600).low > MOST_GROWTH:
        found.append("private memory")
    half = len(samples) // 2
    for name in ("files", "threads"):
        first, second = (
            max(getattr(sample, name) for sample in part)
            for part in (samples[int(WARM * len(samples)) : half], samples[half:])
        )
        if second > first + CLIENTS:
            found.append(name)
    return found


def photographs() -> list[bytes]:
    """PNG files of a few sizes."""
    generator, files = np.random.default_rng(0), []
    for side in (40, 90, 150):
        pixels = generator.integers(0, 256, (side, side, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append(file.getvalue())
    return files


def _keep_on(
    service: Service, every: Mapping[str, Send], seen: Seen, end: float, number: int
) -> None:
    random, names = Random(number), list(every)
    while time.monotonic() < end:
        kind = random.choice(names)
        with _connected(service) as connection:
            try:
                seen.add(kind, every[kind](connection, random))
            except (OSError, HTTPException) as error:
                seen.add(kind, f"no answer ({type(error).__name__})")


def _connected(service: Service) -> "closing[HTTPConnection]":
    address = urlsplit(service.address)
    assert address.hostname == "127.0.0.1", "load is for this machine alone"
    return closing(HTTPConnection(address.hostname, address.port, timeout=60))


def _post(connection: HTTPConnection, content: bytes, media: str) -> str:
    return _answer(connection, "POST", "/predict", content, {"Content-Type": media})


def _answer(
    connection: HTTPConnection,
    method: str,
    path: str,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before all is sent
        connection.request(method, path, content, dict(headers or {}))
    return _came(connection.getresponse())


def _in_pieces(connection: HTTPConnection, content: bytes, pause_s: float) -> str:
    _begin(connection, len(content), "image/png")
    half = len(content) // 2
    connection.send(content[:half])
    time.sleep(pause_s)
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.send(content[half:])
    return _came(connection.getresponse())


def _begin(connection: HTTPConnection, length: int, media: str) -> None:
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", media)
    connection.putheader("Content-Length", str(length))
    connection.endheaders()


def _came(response: HTTPResponse) -> str:
    response.read()
    return str(response.status)


def _form(contents: Sequence[bytes], name: bytes = b"images") -> bytes:
    head = b'\r\nContent-Disposition: form-data; name="' + name + b'"; filename="x"\r\n\r\n'
    parts = [b"--" + BOUNDARY + head + content + b"\r\n" for content in contents]
    return b"".join([*parts, b"--" + BOUNDARY + b"--\r\n"])


def _look(service: Service, seen: Seen, seconds: float) -> Sample:
    process = Path(f"/proc/{service.process}")
    files, threads = (len(list((process / name).iterdir())) for name in ("fd", "task"))
    return Sample(seconds, seen.total, private_bytes(service.process), files, threads)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--bundle", type=Path, help="by default one of tiny random networks")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = asked.bundle or write_random_bundle(Path(folder) / "b.mixqual", BACKBONE, SIDE)
        seen, samples = soak(bundle, 60 * asked.minutes, TIMEOUT_S)
    for (kind, came), count in sorted(seen.answers.items()):
        print(f"{count:8} {kind}: {came}")
    print(f"{seen.total} requests in {samples[-1].seconds:.0f} s; not as expected: {wrong(seen)}")
    for what, per in (
        ("an hour", lambda sample: sample.seconds / 3600),
        ("10,000 requests", lambda sample: sample.requests / 1e4),
    ):
        slope, low, high = growth(samples, per)
        print(f"private memory: {slope:+.2f} MiB [{low:+.2f}, {high:+.2f}] for {what}")
    for quarter in range(5):
        seconds, requests, private, files, threads = samples[quarter * (len(samples) - 1) // 4]
        print(
            f"after {seconds:.0f} s: {private / 2**20:.1f} MiB, {files} files, {threads} threads, "
            f"{requests} requests"
        )
    print(f"grows: {', '.join(keeps_growing(samples)) or 'nothing'}")
    return int(bool(wrong(seen) or keeps_growing(samples)))


if __name__ == "__main__":
    sys.exit(main())
