"""A service under pressure: a full queue, no time, no model yet, a mistake; over real sockets."""

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from running import counts, error, form, png, running, starting, wait_until

from mixqual.deploy import Predictor, load
from mixqual.deploy.torch_runner import TorchRunner


class TestRoom:
    def test_a_full_queue_is_429_and_empties(self, random_bundle: Path) -> None:
        limits = {"max_queue": 4, "max_images": 4, "max_batch": 100, "max_wait_ms": 700}
        with running(random_bundle, **limits) as client, ThreadPoolExecutor(2) as pool:
            first = pool.submit(client.post, "/predict", files=form(*[png()] * 3))
            wait_until(lambda: counts(client)["mixqual_queue_images",] == 3)
            too_many = client.post("/predict", files=form(png(), png()))
            assert too_many.status_code == 429
            assert int(too_many.headers["Retry-After"]) >= 1
            second = pool.submit(client.post, "/predict", files=form(png()))
            wait_until(lambda: counts(client)["mixqual_queue_images",] == 4)
            refused = client.post("/predict", files=form(png()))
            assert refused.status_code == 429
            assert "too many images are waiting" in error(refused)
            assert [len(each.result().json()["predictions"]) for each in (first, second)] == [3, 1]
            assert client.post("/predict", files=form(png())).status_code == 200

    def test_it_is_429_before_the_body_is_sent(self, random_bundle: Path) -> None:
        limits = {"max_queue": 1, "max_images": 1, "max_batch": 100, "max_wait_ms": 700}
        with running(random_bundle, **limits) as client, ThreadPoolExecutor(1) as pool:
            taken = pool.submit(client.post, "/predict", files=form(png()))
            wait_until(lambda: counts(client)["mixqual_queue_images",] == 1)
            connection = http.client.HTTPConnection(str(client.base_url.host), client.base_url.port)
            connection.putrequest("POST", "/predict")
            for header in ("Content-Type", "image/png"), ("Content-Length", "20000000"):
                connection.putheader(*header)
            connection.endheaders()
            assert connection.getresponse().status == 429  # though none of the body has come
            connection.close()
            assert taken.result().status_code == 200

    def test_bodies_share_a_budget_of_bytes(self, random_bundle: Path) -> None:
        with (
            running(random_bundle, max_bytes=100_000, max_held_bytes=150_000) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            go = threading.Event()

            def slowly() -> Iterator[bytes]:
                yield bytes(90_000)
                go.wait(20)

            headers = {"Content-Type": "image/png"}
            slow = pool.submit(client.post, "/predict", content=slowly(), headers=headers)
            wait_until(lambda: counts(client)["mixqual_held_bytes",] == 90_000)
            large, small = bytes(80_000), png()
            assert client.post("/predict", content=large, headers=headers).status_code == 429
            assert client.post("/predict", content=small, headers=headers).status_code == 200
            go.set()
            assert slow.result().status_code == 200
            assert client.post("/predict", content=large, headers=headers).status_code == 200

    def test_whoever_leaves_leaves_the_queue(self, random_bundle: Path) -> None:
        limits = {"max_queue": 2, "max_images": 2, "max_batch": 100, "max_wait_ms": 20_000}
        with running(random_bundle, **limits) as client:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/predict", files=form(png(), png()), timeout=0.5)
            wait_until(lambda: counts(client)["mixqual_queue_images",] == 0)


class TestTime:
    def test_no_answer_in_time_is_504_and_leaves_the_queue(self, random_bundle: Path) -> None:
        with running(random_bundle, max_batch=100, max_wait_ms=20_000, timeout_s=0.5) as client:
            found = client.post("/predict", files=form(png()))
            assert (found.status_code, error(found)) == (504, "no answer within 0.5 seconds")
            assert counts(client)["mixqual_queue_images",] == 0

    def test_a_body_that_does_not_come_is_408(self, random_bundle: Path) -> None:
        with running(random_bundle, timeout_s=0.5) as client:

            def late() -> Iterator[bytes]:
                yield b"x"
                time.sleep(1)

            found = client.post("/predict", content=late(), headers={"Content-Type": "image/png"})
            assert found.status_code == 408
            assert found.headers["Connection"] == "close"

    def test_503_until_the_model_is_there(self, random_bundle: Path) -> None:
        go = threading.Event()

        def load_later(path: Path) -> Predictor:
            assert go.wait(20)
            return load(path)

        with starting(random_bundle, load_later) as client:
            assert client.get("/health").json() == {"status": "alive"}
            for found in (
                client.get("/ready"),
                client.get("/model"),
                client.post("/predict", files=form(png())),
            ):
                assert (found.status_code, error(found)) == (503, "the service is starting")
                assert found.headers["Retry-After"] == "1"
            go.set()
            wait_until(lambda: client.get("/ready").status_code == 200)
            assert client.post("/predict", files=form(png())).status_code == 200


def test_a_mistake_of_ours_is_500_without_a_trace(random_bundle: Path) -> None:
    def broken(path: Path) -> Predictor:
        predictor = load(path)
        runner = predictor._runner
        assert isinstance(runner, TorchRunner)
        warm = {"left": 2}

        def fail(*_: object) -> None:
            warm["left"] -= 1
            if warm["left"] < 0:
                raise RuntimeError(f"in {path}")

        runner._mixture.register_forward_pre_hook(fail)
        return predictor

    with running(random_bundle, broken) as client:
        found = client.post("/predict", files=form(png()))
        assert found.status_code == 500
        assert found.headers["X-Request-Id"] in error(found)
        assert counts(client)["mixqual_errors_total", "internal"] == 1
        assert client.get("/ready").status_code == 200
