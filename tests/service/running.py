"""Services that tests ask questions: real sockets, and a real predictor of random networks."""

import asyncio
import io
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from small_elpv import cell

import mixqual
from mixqual.deploy import Predictor, load
from mixqual.service import Engine, Settings
from mixqual.service.degrading import degraded
from mixqual.service.server import configuration

SIZE = 32


def png(label: int = 0, number: int = 0, side: int = 48) -> bytes:
    """A photograph of a solar cell as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(cell(label, number, side)).save(file, "PNG")
    return file.getvalue()


def form(*contents: bytes, name: str = "x.png") -> list[tuple[str, tuple[str, bytes, str]]]:
    """Images as httpx wants the files of a form."""
    return [("images", (name, content, "image/png")) for content in contents]


def bomb(side: int = 30_000) -> bytes:
    """A PNG file of a few kilobytes whose header claims `side` x `side` pixels."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def error(response: httpx.Response) -> str:
    """The one message of a refusal, which names nothing inside."""
    body = response.json()
    assert list(body) == ["error"]
    here = str(Path(mixqual.__file__).parent)
    for inside in ("Traceback", here, "site-packages", ".py", "mixqual.", "0x"):
        assert inside not in body["error"]
    assert "server" not in response.headers
    return str(body["error"])


@contextmanager
def running(
    bundle: Path, load_with: Callable[[Path], Predictor] = load, **limits: object
) -> Iterator[httpx.Client]:
    """A client of a service that is ready; the service ends with it."""
    with starting(bundle, load_with, **limits) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


@contextmanager
def starting(
    bundle: Path, load_with: Callable[[Path], Predictor] = load, **limits: object
) -> Iterator[httpx.Client]:
    """A client of a service that listens; whether it is ready yet is open."""
    settings = Settings(**limits)  # type: ignore[arg-type]
    engine = Engine(lambda: load_with(bundle), settings, degrade=degraded)
    listener = socket.create_server(("127.0.0.1", 0))
    config = configuration(engine)
    config.log_level = "critical"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    host, port = listener.getsockname()
    key = engine.settings.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def counts(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """The metrics of a service: name and values of the labels, to the number."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
