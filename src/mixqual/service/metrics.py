"""What the service counts, for Prometheus."""

from collections.abc import Callable, Iterable
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mixqual.deploy import Prediction
from mixqual.errors import DataError
from mixqual.service.room import Room

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@final
class Metrics:
    """The counts of one service, in a registry of their own.

    What is said of images counts answers of /predict alone: those of /explore are degraded on
    purpose.
    """

    def __init__(self, waiting: Callable[[], float], room: Room) -> None:
        own = self._registry = CollectorRegistry()
        for name, text, now in (
            ("mixqual_queue_images", "Images that wait for a batch", waiting),
            ("mixqual_held_images", "Images of all requests at work", lambda: room.images),
            ("mixqual_held_bytes", "Bodies of all requests at work", lambda: room.held_bytes),
        ):
            Gauge(name, text, registry=own).set_function(now)
        self.request_seconds = Histogram(
            "mixqual_request_seconds",
            "From a request's first byte to the end of its answer",
            ("route", "status"),
            registry=own,
            buckets=_SECONDS,
        )
        self.batch_images = Histogram(
            "mixqual_batch_images",
            "Images in a batch of the network",
            registry=own,
            buckets=_BATCH_SIZES,
        )
        self.errors = Counter(
            "mixqual_errors", "Requests and images without an answer", ("kind",), registry=own
        )
        self._images = Counter("mixqual_images", "Images by class", ("class_name",), registry=own)
        self._verdicts = Counter(
            "mixqual_verdicts", "Images by verdict", ("verdict",), registry=own
        )
        self._distortions = Counter(
            "mixqual_estimated_distortions",
            "Images by what seems to have happened to them",
            ("distortion",),
            registry=own,
        )
        self._runs = Counter(
            "mixqual_expert_runs", "Images that an expert has looked at", ("expert",), registry=own
        )
        self._weights = Histogram(
            "mixqual_expert_weight",
            "Weights that the gate gives to an expert",
            ("expert",),
            registry=own,
            buckets=_TENTHS,
        )

    def count(self, answers: Iterable[Prediction | DataError]) -> None:
        """Count the answers of one request."""
        for answer in answers:
            if isinstance(answer, DataError):
                self.errors.labels("unreadable_image").inc()
                continue
            self._images.labels(answer.class_name).inc()
            self._verdicts.labels(answer.verdict or "none").inc()
            if answer.distortion:
                self._distortions.labels(answer.distortion.name).inc()
            for expert in answer.experts_run:
                self._runs.labels(expert).inc()
            for expert, weight in (answer.weights or {}).items():
                self._weights.labels(expert).observe(weight)

    def text(self) -> bytes:
        """All counts in Prometheus's text format."""
        return generate_latest(self._registry)
