"""A bundle and services for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import SIZE, running

from mixqual.bench.random_bundle import write_random_bundle
from mixqual.deploy import Predictor, load


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiny experts at 32 pixels."""
    path = tmp_path_factory.mktemp("random") / "random.mixqual"
    return write_random_bundle(path, "timm/test_efficientnet", SIZE)


@pytest.fixture(scope="module")
def predictor(random_bundle: Path) -> Predictor:
    """The same mixture without a service."""
    return load(random_bundle)


@pytest.fixture(scope="module")
def client(random_bundle: Path) -> Iterator[httpx.Client]:
    """A client of a service with small limits."""
    limits = {"max_bytes": 400_000, "max_held_bytes": 800_000, "max_images": 6}
    with running(random_bundle, max_pixels=1_000_000, **limits) as client:
        yield client
