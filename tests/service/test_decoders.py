"""Images that are dear to decode end alone: others are answered, and the service stays whole."""

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import killable
import numpy as np
import psutil
import pytest
from PIL import Image
from running import error, form, png, running, wait_until
from test_server import address, serve_here

from mixqual.bench.hostile import flat_png, many_scans, one_tile
from mixqual.deploy.inputs import pixels_of
from mixqual.errors import DataError
from mixqual.images.decoder_process import Order, Outcome, decoded
from mixqual.service.decoders import Decoders
from mixqual.service.refusals import Refusal


@pytest.fixture(scope="module")
def dear() -> bytes:
    """Within all limits, but seconds of work."""
    return many_scans(75, side=5000)


def plain_ppm(side: int) -> bytes:
    """A picture in text, which Pillow reads in Python: sound, small and slow."""
    return f"P1 {side} {side} ".encode() + b"0" * (side * side)


def bmp() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8)).save(
        file, "BMP"
    )
    return file.getvalue()


@asynccontextmanager
async def decoders(
    count: int = 1, max_pixels: int = 50_000_000, seconds: float = 5
) -> AsyncIterator[Decoders]:
    made = Decoders(count, max_pixels, seconds, timeout_s=20)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def children() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "mixqual.images.decoder_process" in each.cmdline():
                found.append(each)
    return found


def test_pixels_are_those_of_the_predictor() -> None:
    async def check() -> None:
        async with decoders() as made:
            for content in (png(), bmp(), many_scans(1, side=80), flat_png(300, 7)):
                found = await made.decode(content, 48, "bicubic")
                assert isinstance(found, np.ndarray)
                assert np.array_equal(found, pixels_of(content, 48, "bicubic"))

    asyncio.run(check())


def test_each_limit_has_its_answer() -> None:
    async def check() -> None:
        async with decoders(max_pixels=100_000) as made:
            for content, kind, text in (
                (b"x", DataError, "not an image"),
                (png()[:200], DataError, ""),
                (flat_png(400, 400), Refusal, "more than 100000 pixels"),
                (many_scans(200, side=100), Refusal, "scans of 10000 pixels exceed"),
                (one_tile(5008), Refusal, "its tiles of"),
                (flat_png(1, 70_000), Refusal, "a side exceeds"),
            ):
                found = await made.decode(content, 32, "bilinear")
                assert isinstance(found, kind)
                assert text in (found.text if isinstance(found, Refusal) else str(found))
                assert not isinstance(found, Refusal) or found.status == 413
            assert isinstance(await made.decode(png(), 32, "bilinear"), np.ndarray)

    asyncio.run(check())


def test_past_its_time_a_process_ends_and_another_goes_on() -> None:
    async def check() -> None:
        async with decoders(seconds=0.2) as made:
            (before,) = children()
            found = await made.decode(plain_ppm(4000), 32, "bilinear")
            assert isinstance(found, Refusal)
            assert (found.status, found.text) == (422, "takes more than 0.2 seconds to decode")
            assert isinstance(await made.decode(png(), 32, "bilinear"), np.ndarray)
            (after,) = children()
            assert after.pid != before.pid
        assert children() == []

    asyncio.run(check())


def test_a_process_that_was_killed_is_not_the_next_image_s_fault() -> None:
    async def check() -> None:
        async with decoders() as made:
            (process,) = children()
            process.kill()
            while children() == [process]:
                await asyncio.sleep(0.01)
            assert isinstance(await made.decode(png(), 32, "bilinear"), np.ndarray)

    asyncio.run(check())


def test_memory_has_a_limit() -> None:
    """A budget of few pixels, and an image within it by its header that takes more."""

    async def check() -> None:
        async with decoders() as made:
            (process,) = children()
            for _ in range(2):
                assert isinstance(await made.decode(bmp(), 32, "bilinear"), np.ndarray)
            soft, _ = process.rlimit(psutil.RLIMIT_AS)
            assert process.memory_info().vms < soft < process.memory_info().vms + 2**30

    asyncio.run(check())


def test_costly_images_leave_a_process_to_the_others(dear: bytes) -> None:
    async def check() -> None:
        async with decoders(count=2, seconds=3) as made:
            slow = [asyncio.create_task(made.decode(dear, 32, "bilinear")) for _ in range(8)]
            for _ in range(5):
                assert isinstance(await made.decode(png(), 32, "bilinear"), np.ndarray)
            assert made.longest_wait == 0  # of what is soon done
            done, working = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
            assert working  # good images have not waited for them
            for each in done:
                refused = each.result()
                assert isinstance(refused, Refusal)
                assert (refused.status, refused.headers) == (429, {"Retry-After": "3"})
            for each in slow:
                each.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(check())


def test_its_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_KEY", "open sesame")

    async def check() -> None:
        async with decoders():
            (process,) = children()
            assert "open sesame" not in process.environ().values()

    asyncio.run(check())


def test_what_is_dear_by_its_kind_is_told_before_it_is_decoded() -> None:
    order = Order(32, "bilinear", 50_000_000, 1_000_000, 5)
    for content, outcome in (
        (png(), Outcome.PIXELS),
        (flat_png(900, 900), Outcome.PIXELS),
        (flat_png(1100, 1000), Outcome.COSTLY),
        (many_scans(95, side=400), Outcome.COSTLY),
        (many_scans(1, side=400), Outcome.PIXELS),
        (plain_ppm(150), Outcome.COSTLY),
    ):
        assert decoded(content, order)[0] is outcome


@pytest.fixture(scope="module")
def client(random_bundle: Path) -> Iterator[httpx.Client]:
    with running(random_bundle, decode_seconds=0.3) as client:
        yield client


class TestService:
    def test_what_is_refused(self, client: httpx.Client, dear: bytes) -> None:
        for content, status in (
            (many_scans(3400, side=3000), 413),
            (flat_png(1, 50_000_000), 413),
            (one_tile(5008), 413),
            (dear, 422),
        ):
            found = client.post("/predict", files=form(png(), content))
            assert found.status_code == status
            assert error(found).startswith("image 2: ")
        assert client.post("/predict", files=form(png())).status_code == 200

    def test_good_requests_go_on_meanwhile(self, client: httpx.Client, dear: bytes) -> None:
        with ThreadPoolExecutor(2) as pool:
            attack = [pool.submit(client.post, "/predict", files=form(dear)) for _ in range(2)]
            while not all(each.done() for each in attack):
                assert client.post("/predict", files=form(png())).status_code == 200
                assert client.get("/ready").status_code == 200
        assert {each.result().status_code for each in attack} == {422}

    def test_ready_tells_when_requests_would_not_be_answered(
        self, random_bundle: Path, dear: bytes
    ) -> None:
        limits = {"decoders": 1, "decode_seconds": 30, "timeout_s": 0.8}
        with running(random_bundle, **limits) as client, ThreadPoolExecutor(2) as pool:
            slow = pool.submit(client.post, "/predict", files=form(dear))
            time.sleep(0.2)
            good = pool.submit(client.post, "/predict", files=form(png()))
            wait_until(lambda: client.get("/ready").status_code == 503)
            refused = slow.result()
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
            good.result()
            wait_until(lambda: client.get("/ready").status_code == 200)


def test_sigterm_ends_a_service_that_decodes(
    random_bundle: Path, tmp_path: Path, dear: bytes
) -> None:
    said = tmp_path / "said"
    options = ("--port", "0", "--timeout", "1", "--decode-seconds", "60")
    process = killable.start(serve_here, str(said), str(random_bundle), *options)
    with (
        httpx.Client(base_url=address(said), timeout=30) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        taken = pool.submit(client.post, "/predict", files=form(dear))
        time.sleep(0.5)
        assert process.pid
        decoding = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGTERM)
        start = time.monotonic()
        process.join(20)
        assert process.exitcode == 0
        assert time.monotonic() - start < 6  # the time of a request, and the grace
        assert taken.result().status_code == 503
        wait_until(lambda: not any(each.is_running() for each in decoding), 5)
