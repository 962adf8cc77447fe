"""The soak of benchmarks/: a short one, and its arithmetic on lines that are known."""

import os
from pathlib import Path

import numpy as np
import pytest
import soak
from running import counts, running
from soak import Sample, Seen

from mixqual.bench.serving import Service
from mixqual.service import Settings


def samples(slope: float, noise: float = 0.0, files: int = 0) -> list[Sample]:
    """Memory that grows by `slope` MiB an hour, and in its first quarter much faster."""
    draws = np.random.default_rng(0).normal(0, 1, 400)
    return [
        Sample(
            seconds=2.0 * n,
            requests=50 * n,
            private_bytes=int(2**20 * (300 + slope * n / 1800 + min(n, 90) + noise * draws[n])),
            files=10 + files * n // 400,
            threads=6,
        )
        for n in range(400)
    ]


def per_hour(sample: Sample) -> float:
    return sample.seconds / 3600


@pytest.mark.slow
def test_every_request_has_its_answer(random_bundle: Path) -> None:
    seen, found = soak.soak(random_bundle, seconds=5, timeout_s=30)
    assert soak.wrong(seen) == {}
    every = set(soak.kinds(soak.photographs(), 1, 1))
    assert {kind for kind, _ in seen.answers} <= every - {"408 too slow"}
    assert len(seen.answers) > 4
    assert found[-1].requests > found[0].requests
    assert all(sample.private_bytes > 2**20 for sample in found)
    assert all(sample.threads > 1 and sample.files > 3 for sample in found)


def test_every_size_of_batch_is_met(random_bundle: Path) -> None:
    seen = Seen()
    with running(random_bundle) as client:
        soak.meet_batches(Service(str(client.base_url), os.getpid()), seen)
        found = counts(client)
    most = Settings().max_batch
    for size in (1, 2, 4, 8, 16, 32):  # so many batches were no larger
        assert found["mixqual_batch_images_bucket", f"{size}.0"] == size
    assert found["mixqual_batch_images_sum",] == most * (most + 1) / 2
    assert seen.answers == {("200 form", "200"): most}


def test_what_is_not_as_expected_is_told() -> None:
    seen = Seen()
    for kind, came in (
        ("200 whole", "200"),
        ("200 whole", "500"),
        ("413 too large", "no answer (ConnectionResetError)"),
        ("cancelled", "cancelled"),
    ):
        seen.add(kind, came)
    assert soak.wrong(seen) == {
        "200 whole: 500": 1,
        "413 too large: no answer (ConnectionResetError)": 1,
    }


def test_a_line_is_found_whatever_came_before() -> None:
    found = soak.growth(samples(slope=36), per_hour)
    assert found.slope == pytest.approx(36, abs=1e-3)
    assert found.low <= found.slope <= found.high
    per_requests = soak.growth(samples(slope=36), lambda sample: sample.requests / 1e4)
    assert per_requests.slope == pytest.approx(36 / 1800 * 200, abs=1e-3)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rows = samples(slope=0)
    generator, held = np.random.default_rng(1), 0
    for _ in range(200):
        noise = generator.normal(0, 2, len(rows))
        noisy = [
            row._replace(private_bytes=int(2**20 * (400 + each)))
            for row, each in zip(rows, noise, strict=True)
        ]
        found = soak.growth(noisy, per_hour)
        held += found.low <= 0 <= found.high
    assert 0.9 <= held / 200 <= 0.99  # 95 %, give or take three deviations


def test_growth_is_told() -> None:
    assert soak.keeps_growing(samples(slope=0, noise=2)) == []
    assert soak.keeps_growing(samples(slope=200, noise=2)) == ["private memory"]
    assert soak.keeps_growing(samples(slope=0, noise=2, files=100)) == ["files"]
