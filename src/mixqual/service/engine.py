"""The predictor behind a service: its start, its threads, and its queues."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy import Manifest, Prediction, Predictor
from mixqual.deploy.inputs import batch_of
from mixqual.errors import DataError
from mixqual.service.batching import Batcher
from mixqual.service.decoders import Decoders
from mixqual.service.images import Pixels
from mixqual.service.metrics import Metrics
from mixqual.service.refusals import Refusal
from mixqual.service.room import Room
from mixqual.service.settings import Settings

Floats = NDArray[np.float32]

Degrade = Callable[[Pixels, float, float, int, bool], Floats]
"""From pixels, noise, blur, a seed, and whether all channels have the same noise to a degraded
image (3, size, size), not clipped."""


class Phase(Enum):
    """Where a service stands."""

    STARTING = "starting"
    READY = "ready"
    CLOSING = "shutting down"


class Degradation(NamedTuple):
    """What is to happen to an image before it is looked at."""

    noise: float
    """Deviation in grey levels."""
    blur: float
    """Deviation in pixels of a 224-pixel image."""
    seed: int


class Explained(NamedTuple):
    """What a mixture and each of its experts, or one network, say of one degraded image."""

    image_CHW: Floats
    """As the networks saw it, not clipped."""
    prediction: Prediction
    experts: dict[str, dict[str, float]] | None
    """Expert to class to probability; None if they cannot be asked alone."""


@final
class Engine:
    """One predictor on one thread, before it a queue for plain answers and one for explained ones.

    All methods are for the thread of the event loop, but for `close_doors`.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        settings: Settings,
        *,
        degrade: Degrade | None = None,
        on_ready: Callable[[], None] = lambda: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """Without `degrade`, images are not explored."""
        self.settings = settings
        self.phase = Phase.STARTING
        self.failure: Exception | None = None
        """Why there is no predictor."""
        self.room = Room(settings.max_queue, settings.max_held_bytes)
        self._load, self._on_ready, self._on_failure = load, on_ready, on_failure
        self._degrade = degrade
        self._predictor: Predictor | None = None
        self._worker = ThreadPoolExecutor(1, "predictor")
        self._degrader = ThreadPoolExecutor(1, "degrader")
        self._decoders = Decoders(
            settings.decoders,
            settings.max_pixels,
            settings.decode_seconds,
            timeout_s=settings.timeout_s,
        )
        wait_s = settings.max_wait_ms / 1000
        self._plain: Batcher[Pixels, Prediction] = Batcher(
            self._predict, self._worker, max_batch=settings.max_batch, max_wait_s=wait_s
        )
        self._explained: Batcher[Floats, Explained] = Batcher(
            self._explain, self._worker, max_batch=settings.max_batch, max_wait_s=wait_s
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.metrics = Metrics(lambda: self._plain.waiting + self._explained.waiting, self.room)

    def start(self) -> None:
        """Begin to load the predictor, and to work when it is there."""
        self._tasks = [asyncio.create_task(self._prepare())]

    def close_doors(self) -> None:
        """Take no more requests; what was taken is still answered."""
        self.phase = Phase.CLOSING

    async def stop(self) -> None:
        """End all work."""
        self.close_doors()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._worker, self._degrader):
            threads.shutdown(wait=False, cancel_futures=True)
        await self._decoders.stop()

    @property
    def manifest(self) -> Manifest:
        """Of the bundle; raises `Refusal` before it is loaded."""
        return self._ready().manifest

    def check_open(self) -> None:
        """Raise `Refusal` if requests are not taken now."""
        if self.phase is not Phase.READY:
            raise _unavailable(f"the service is {self.phase.value}")

    def check_ready(self) -> None:
        """Raise `Refusal` unless a request that came now would be answered in time."""
        self.check_open()
        if self._decoders.failing:
            raise _unavailable("no process that decodes images can be started")
        waiting = (self._decoders, self._plain, self._explained)
        longest = max(each.longest_wait for each in waiting)
        if longest > self.settings.timeout_s / 2:
            raise _unavailable(f"an image has waited for {longest:.0f} seconds")

    def no_room(self) -> Refusal:
        """What a request is told that finds no room: when the queue should be shorter."""
        batches = math.ceil(max(1, self._plain.waiting) / self.settings.max_batch)
        seconds = math.ceil(batches * self._plain.batch_seconds)
        headers = {"Retry-After": str(max(1, min(seconds, 60)))}
        return Refusal(429, "too many images are waiting; try again later", headers)

    async def predict(self, contents: Sequence[bytes]) -> list[Prediction | DataError]:
        """An answer for each image, in order; raises `Refusal` for images of too many pixels."""
        read = await self._read(contents)
        answers = await asyncio.gather(*map(self._answer, read))
        self.metrics.count(answers)
        return answers

    async def explain(self, content: bytes, degradation: Degradation) -> Explained:
        """Degrade one image and explain it; raises `Refusal`, also if it cannot be read."""
        if self._degrade is None:
            raise Refusal(501, "this service has nothing that degrades images")
        (pixels,) = await self._read([content])
        if isinstance(pixels, DataError):
            raise Refusal(422, str(pixels))
        degraded = await asyncio.get_running_loop().run_in_executor(
            self._degrader, self._degrade, pixels, *degradation, self.manifest.gray_noise
        )
        return await self._explained.submit(degraded)

    async def _prepare(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            loading = loop.run_in_executor(self._worker, self._load_and_warm)
            self._predictor, _ = await asyncio.gather(loading, self._decoders.start())
        except Exception as error:
            self.failure = error
            self._on_failure()
            return
        self._tasks += [
            asyncio.create_task(batcher.work()) for batcher in (self._plain, self._explained)
        ]
        if self.phase is Phase.STARTING:
            self.phase = Phase.READY
            self._on_ready()

    def _load_and_warm(self) -> Predictor:
        predictor = self._load()
        size = predictor.manifest.size
        for count in (1, self.settings.max_batch):
            predictor.predict_pixels(np.zeros((count, 3, size, size), np.uint8))
        return predictor

    async def _read(self, contents: Sequence[bytes]) -> list[Pixels | DataError]:
        """The images of one request, a few at a time, so that many of them do not block others."""
        manifest = self._ready().manifest
        few = asyncio.Semaphore(self.settings.decoders)

        async def read(content: bytes) -> Pixels | DataError | Refusal:
            async with few:
                return await self._decoders.decode(content, manifest.size, manifest.interpolation)

        found: list[Pixels | DataError] = []
        for number, each in enumerate(await asyncio.gather(*map(read, contents)), 1):
            if isinstance(each, Refusal):
                # Not itself: with its traceback it would be in a circle with this frame's list.
                raise Refusal(each.status, f"image {number}: {each.text}", each.headers)
            found.append(each)
        return found

    async def _answer(self, pixels: Pixels | DataError) -> Prediction | DataError:
        return pixels if isinstance(pixels, DataError) else await self._plain.submit(pixels)

    def _predict(self, pixels: Sequence[Pixels]) -> list[Prediction]:
        self.metrics.batch_images.observe(len(pixels))
        return self._ready().predict_pixels(batch_of(pixels))

    def _explain(self, images: Sequence[Floats]) -> list[Explained]:
        images_BCHW = np.stack(images)
        predictor = self._ready()
        predictions = predictor.predict_distorted(images_BCHW)
        asked = predictor.predict_experts(images_BCHW)
        experts = asked if asked is not None else [None for _ in images]
        return list(map(Explained, images, predictions, experts))

    def _ready(self) -> Predictor:
        if self._predictor is None:
            raise _unavailable(f"the service is {self.phase.value}")
        return self._predictor


def _unavailable(text: str) -> Refusal:
    return Refusal(503, text, {"Retry-After": "1"})
