"""A service against the predictor in it, and what it does under twice the load that it sustains."""

import io
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from mixqual.bench.load import Answered, keep_busy, send_at_rate
from mixqual.bench.peak_memory import private_bytes
from mixqual.bench.random_bundle import write_random_bundle
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.serving import serving
from mixqual.bench.timing import Ratio
from mixqual.deploy import Predictor, load

_BACKBONE, _SIDE = "timm/tf_efficientnet_lite0", 128
_PHOTO_SIDE = 300
_PHOTOS = 64
_CLIENTS = 64
_QUEUE = 128
_BATCHES = (8, 16, 32)
_ROUNDS = 3
_SECONDS = 8.0  # of each part
_TWICE = 2.0

_Load = Callable[..., Any]  # a function of `load`, run where it costs the service no lock


def measure() -> list[Ratio]:
    """In turn the predictor alone and the service with clients in a third process; then too much.

    All compete for the same cores: what clients cost is taken from the service.
    """
    photos = _photos()
    with scratch_folder() as folder:
        bundle = write_random_bundle(folder / "random.mixqual", _BACKBONE, _SIDE)
        predictor = load(bundle)
        batch = max(_BATCHES, key=lambda size: _alone(predictor, photos, size, _SECONDS / 4))
        with serving(bundle, "--max-queue", str(_QUEUE)) as service, _elsewhere() as ask:
            ask(keep_busy, service.address, photos, _CLIENTS, _SECONDS / 4)
            rounds = [
                (
                    _alone(predictor, photos, batch, _SECONDS),
                    ask(keep_busy, service.address, photos, _CLIENTS, _SECONDS),
                )
                for _ in range(_ROUNDS)
            ]
            sustained = median(served for _, served in rounds)
            before = private_bytes(service.process)
            found = ask(send_at_rate, service.address, photos, _TWICE * sustained, _SECONDS * 2)
            after = private_bytes(service.process)
    return [_throughput(rounds, batch), *_overload(found, sustained, before, after)]


def _throughput(rounds: Sequence[tuple[float, float]], batch: int) -> Ratio:
    ratios = [alone / served for alone, served in rounds]
    return Ratio(
        "an image from the service, one to a request",
        f"the predictor alone, from bytes, in its best batches of {batch}",
        median(ratios),
        min(ratios),
        max(ratios),
        len(rounds),
        f"{_BACKBONE} at {_SIDE} pixels, three experts, {_CLIENTS} clients on the same cores; "
        f"{median(served for _, served in rounds):.1f} and "
        f"{median(alone for alone, _ in rounds):.1f} images a second",
    )


def _overload(found: Answered, sustained: float, before: int, after: int) -> list[Ratio]:
    sent = sum(found.statuses.values())
    offered = sent / found.seconds
    refused, answered = found.statuses.get(429, 0), len(found.latencies)
    p50, p99 = (found.latencies[int(share * answered)] for share in (0.5, 0.99))
    settings = (
        f"{offered:.1f} requests a second for {found.seconds:.0f} s, room for {_QUEUE}; "
        f"{100 * refused / sent:.1f} % refused (429), {sent - refused - answered} lost; "
    )
    return [
        _once(
            "the 99th percentile of latency at twice the load",
            "the time for a full queue",
            p99 / (_QUEUE / sustained),
            f"{settings}{p50:.2f} s in the middle, {p99:.2f} s",
        ),
        _once(
            "requests answered at twice the load",
            "what it sustains in that time",
            answered / (sustained * found.seconds),
            f"{settings}{answered} answered",
        ),
        _once(
            "private memory of the service after it",
            "before it",
            after / before,
            f"{settings}{after / 2**20:.0f} MiB and {before / 2**20:.0f} MiB",
        ),
    ]


def _once(what: str, against: str, ratio: float, settings: str) -> Ratio:
    return Ratio(what, against, ratio, ratio, ratio, 1, settings)


def _alone(predictor: Predictor, photos: Sequence[bytes], batch: int, seconds: float) -> float:
    """Images a second of the predictor from bytes to answers."""
    start, count = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < seconds:
        places = [(count + place) % len(photos) for place in range(batch)]
        count += len(predictor.predict([photos[place] for place in places]))
    return count / took


def _photos() -> list[bytes]:
    """JPEG files of what looks like something: a few grey levels of noise over smooth hills."""
    generator, files = np.random.default_rng(0), []
    for _ in range(_PHOTOS):
        hills = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
        smooth = np.asarray(hills.resize((_PHOTO_SIDE, _PHOTO_SIDE), Image.Resampling.BICUBIC))
        noisy = smooth + generator.normal(0, 5, smooth.shape)
        file = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


@contextmanager
def _elsewhere() -> Iterator[_Load]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()
