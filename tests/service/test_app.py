"""A service over real sockets: what it answers, what it refuses, and how."""

import base64
import gzip
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import scipy.ndimage
from finished_runs import Run
from PIL import Image
from running import bomb, counts, error, form, png, running

import mixqual
from mixqual.deploy import Predictor
from mixqual.deploy.bundle import read_bundle, write_bundle
from mixqual.deploy.inputs import pixels_of

KEY = "correct horse"


def assert_same(found: Any, expected: Any) -> None:
    """Equal, floats to 1e-6."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6)
    elif isinstance(expected, tuple):
        assert found == list(expected)
    else:
        assert found == expected


class TestPredict:
    def test_answers_are_the_predictor_s_in_order(
        self, client: httpx.Client, predictor: Predictor
    ) -> None:
        contents = [png(label, number=label) for label in range(4)]
        expected = predictor.predict(contents)
        found = client.post("/predict", files=form(*contents))
        assert found.status_code == 200
        for answer, each in zip(found.json()["predictions"], expected, strict=True):
            assert_same(answer, asdict(each))
        for media in ("image/png", "application/octet-stream"):
            raw = client.post("/predict", content=contents[2], headers={"Content-Type": media})
            (answer,) = raw.json()["predictions"]
            assert_same(answer, asdict(expected[2]))

    @pytest.mark.slow
    @pytest.mark.parametrize("model", ["tree_blocks.2", "inverted_blocks.2"])
    def test_a_tree_gives_the_verdicts_of_its_file(
        self, tree_run: Run, tmp_path: Path, model: str
    ) -> None:
        bundle = mixqual.export(tree_run.out, tmp_path / "tree.mixqual", model=model).path
        contents = [png(number % 4, number) for number in range(8)]
        expected = mixqual.load(bundle).predict(contents)
        with running(bundle) as client:
            found = client.post("/predict", files=form(*contents)).json()["predictions"]
        assert all(answer["verdict"] is not None for answer in found)
        for answer, each in zip(found, expected, strict=True):
            assert_same(answer, asdict(each))

    def test_one_network_answers_without_what_a_gate_says(
        self, plain_run: Run, tmp_path: Path
    ) -> None:
        bundle = mixqual.export(plain_run.out, tmp_path / "one.mixqual", model="all").path
        contents = [png(number % 4, number) for number in range(4)]
        expected = mixqual.load(bundle).predict(contents)
        with running(bundle) as client:
            found = client.post("/predict", files=form(*contents)).json()["predictions"]
            explored = client.post("/explore?noise=30", files=form(contents[0])).json()
            told, counted = client.get("/model").json(), counts(client)
        for answer, each in zip(found, expected, strict=True):
            assert_same(answer, asdict(each))
            assert (answer["weights"], answer["distortion"]) == (None, None)
        assert (explored["experts"], explored["prediction"]["weights"]) == (None, None)
        assert (told["model"], told["gate"], told["experts"]) == ("all", "none", ["all"])
        assert counted["mixqual_expert_runs_total", "all"] == 4
        gated = {"mixqual_estimated_distortions_total", "mixqual_expert_weight_count"}
        assert not gated & {name for name, *_ in counted}

    def test_requests_of_many_clients_share_batches(
        self, random_bundle: Path, predictor: Predictor
    ) -> None:
        contents = [png(n % 4, n) for n in range(12)]
        expected = predictor.predict(contents)
        with running(random_bundle, max_wait_ms=2000, max_batch=12) as client:
            with ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(lambda c: client.post("/predict", files=form(c)), contents))
            found = counts(client)
        for answer, each in zip(answers, expected, strict=True):
            assert_same(answer.json()["predictions"][0], asdict(each))
        assert found["mixqual_batch_images_sum",] == 12
        assert found["mixqual_batch_images_count",] == 1

    def test_bad_images_among_good_ones_keep_their_places(
        self, client: httpx.Client, predictor: Predictor
    ) -> None:
        good, cut = png(1), png(2)[:-600]
        found = client.post("/predict", files=form(b"", good, b"no image", cut, good))
        assert found.status_code == 200
        answers = found.json()["predictions"]
        assert answers[0] == {"error": "the file is empty"}
        assert answers[2] == {"error": "not an image in a known format"}
        assert list(answers[3]) == ["error"]
        (expected,) = predictor.predict(good)
        for place in (1, 4):
            assert_same(answers[place], asdict(expected))

    def test_file_names_are_nothing_but_names(
        self, client: httpx.Client, tmp_path: Path, predictor: Predictor
    ) -> None:
        secret = tmp_path / "secret.png"
        secret.write_bytes(png(3))
        content = png(0)
        (expected,) = predictor.predict(content)
        for name in (str(secret), "../../../etc/passwd", "..\\x", "%00", "\0", "a" * 3000):
            found = client.post("/predict", files=form(content, name=name))
            assert_same(found.json()["predictions"][0], asdict(expected))
        assert sorted(tmp_path.iterdir()) == [secret]


class TestLimits:
    def test_bytes_by_their_declaration_and_while_they_stream(self, client: httpx.Client) -> None:
        headers = {"Content-Type": "image/png"}
        declared = client.post("/predict", content=bytes(400_001), headers=headers)
        assert declared.status_code == 413
        assert error(declared) == "the body is longer than 400000 bytes"
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(100_000):
                sent += 50_000
                yield bytes(50_000)

        try:
            streamed = client.post("/predict", content=chunks(), headers=headers)
            assert streamed.status_code == 413
        except httpx.TransportError:  # the connection was closed over what was still to come
            pass
        assert sent < 100_000 * 50_000 / 100
        assert client.get("/health").status_code == 200

    def test_images(self, client: httpx.Client) -> None:
        found = client.post("/predict", files=form(*[png()] * 7))
        assert (found.status_code, error(found)) == (413, "more than 6 images in one request")

    def test_pixels_before_any_is_decoded(self, client: httpx.Client) -> None:
        for content in (bomb(), bomb(1001)):
            found = client.post("/predict", files=form(png(), content))
            assert found.status_code == 413
            assert error(found) == "image 2: more than 1000000 pixels"

    @pytest.mark.parametrize(
        ("status", "message", "asked"),
        [
            (415, "send images as", {"content": b"x" * 300_000}),
            (415, "send images as", {"json": {"images": ["x" * 300_000]}}),
            (415, "send images as", {"data": {"images": "x"}}),
            (
                415,
                "encoded as 'gzip', which is not read",
                {
                    "content": gzip.compress(png()),
                    "headers": {"Content-Type": "image/png", "Content-Encoding": "gzip"},
                },
            ),
            (
                400,
                "boundary",
                {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            ),
            (422, 'by the name of "images"', {"files": {"file": png()}}),
            (422, "one image at a time", {"files": form(png(), png()), "url": "/explore"}),
            (422, "not an image", {"files": form(b"x"), "url": "/explore"}),
            (422, "noise: Input should be", {"files": form(png()), "url": "/explore?noise=nan"}),
            (422, "blur: Input should be", {"files": form(png()), "url": "/explore?blur=10.1"}),
            (422, "seed: Input should be", {"files": form(png()), "url": "/explore?seed=x"}),
            (404, "Not Found", {"url": "/../../etc/passwd"}),
            (405, "Method Not Allowed", {"url": "/model"}),
        ],
    )
    def test_what_is_no_request(
        self, client: httpx.Client, status: int, message: str, asked: dict[str, Any]
    ) -> None:
        found = client.post(**{"url": "/predict", **asked})
        assert found.status_code == status
        assert message in error(found)

    def test_forms_that_are_none(self, client: httpx.Client) -> None:
        start = b'--b\r\nContent-Disposition: form-data; name="images"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        for body, status, message in (
            (start + b"x", 400, "ends before"),
            (b"", 400, "ends before"),
            (b"--c\r\n\r\n--c--\r\n", 400, "no form"),
            (b"--b--\r\n", 422, "holds no image"),
            (b"--b\r\n\r\nx\r\n--b--\r\n", 422, "by the name"),
            (b"--b\r\n" + b"A: b\r\n" * 1000 + b"\r\nx\r\n--b--\r\n", 400, "no form"),
        ):
            found = client.post("/predict", content=body, headers=headers)
            assert found.status_code == status, body[:80]
            assert message in error(found)


class TestKey:
    def test_only_the_header_opens(self, random_bundle: Path) -> None:
        with running(random_bundle, api_key=KEY) as client:
            assert client.post("/predict", files=form(png())).status_code == 200
            del client.headers["Authorization"]
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Bearer {KEY} "[:-2]},
                {"Authorization": KEY},
                {"Authorization": f"Basic {KEY}"},
                {"Cookie": f"key={KEY}"},
            ):
                for method, url in (
                    ("POST", f"/predict?key={KEY}"),
                    ("POST", "/explore"),
                    ("GET", "/model"),
                    ("GET", f"/metrics?api_key={KEY}"),
                ):
                    found = client.request(method, url, headers=headers)
                    assert found.status_code == 401
                    assert found.headers["WWW-Authenticate"] == "Bearer"
                    assert KEY not in error(found)
            for url in ("/health", "/ready", "/", "/page.js", "/page.css", "/openapi.json"):
                assert client.get(url).status_code == 200

    def test_the_document_knows_whether_there_is_one(
        self, client: httpx.Client, random_bundle: Path
    ) -> None:
        with running(random_bundle, api_key=KEY) as locked:
            documents = [each.get("/openapi.json").json() for each in (client, locked)]
        for document, there in zip(documents, (False, True), strict=True):
            for path, method in (("/predict", "post"), ("/explore", "post"), ("/model", "get")):
                assert ("401" in document["paths"][path][method]["responses"]) is there
                assert ("security" in document["paths"][path][method]) is there


class TestExplore:
    def test_without_damage_it_is_the_prediction(
        self, client: httpx.Client, predictor: Predictor
    ) -> None:
        found = client.post("/explore", files=form(png(2))).json()
        assert_same(found["prediction"], asdict(predictor.predict(png(2))[0]))
        with Image.open(io.BytesIO(_content(found["image"]))) as image:
            np.testing.assert_array_equal(np.array(image), pixels_of(png(2), 32, "bicubic"))

    def test_the_weighed_experts_are_the_mixture(
        self, client: httpx.Client, predictor: Predictor
    ) -> None:
        """Eq. 3, undone by the temperature: p of the mixture is proportional to sum ** (1 / T)."""
        found = client.post("/explore?noise=40&blur=3&seed=5", files=form(png(1))).json()
        weights = found["prediction"]["weights"]
        mixed_K = sum(
            weights[expert] * np.array(list(p.values())) for expert, p in found["experts"].items()
        )
        trust = predictor.manifest.trust
        assert trust is not None
        p_K = mixed_K ** (1 / trust.temperature)
        np.testing.assert_allclose(
            list(found["prediction"]["probabilities"].values()), p_K / p_K.sum(), atol=1e-5
        )

    def test_damage_is_that_of_the_study(self, client: httpx.Client) -> None:
        pixels_HWC = pixels_of(png(1), 32, "bicubic").astype(np.float64)
        found = client.post("/explore?blur=7", files=form(png(1))).json()
        with Image.open(io.BytesIO(_content(found["image"]))) as image:
            shown_HWC = np.array(image).astype(np.float64)
        blurred_HWC = scipy.ndimage.gaussian_filter(pixels_HWC, (1, 1, 0), mode="reflect")
        assert np.abs(shown_HWC - blurred_HWC).max() < 0.51  # 7 of 224 pixels are 1 of 32
        gray = io.BytesIO()
        Image.fromarray(np.full((64, 64), 128, np.uint8)).save(gray, "PNG")
        noisy = client.post("/explore?noise=20", files=form(gray.getvalue())).json()
        with Image.open(io.BytesIO(_content(noisy["image"]))) as image:
            noise_HWC = np.array(image).astype(np.float64) - 128
        assert noise_HWC.std() == pytest.approx(20, rel=0.06)  # of 3072 numbers

    def test_noise_is_gray_where_the_study_had_it(
        self, random_bundle: Path, tmp_path: Path
    ) -> None:
        manifest, tensors = read_bundle(random_bundle)
        bundle = tmp_path / "gray.mixqual"
        write_bundle(bundle, manifest.model_copy(update={"gray_noise": True}), tensors)
        with running(bundle) as client:
            found = client.post("/explore?noise=20", files=form(png())).json()
        with Image.open(io.BytesIO(_content(found["image"]))) as image:
            shown_HWC = np.array(image)
        np.testing.assert_array_equal(shown_HWC, np.repeat(shown_HWC[..., :1], 3, axis=2))
        assert not np.array_equal(shown_HWC, pixels_of(png(), 32, "bicubic"))

    def test_the_seed_decides(self, client: httpx.Client) -> None:
        images = [
            client.post(f"/explore?noise=9&seed={seed}", files=form(png())).json()["image"]
            for seed in (1, 1, 2)
        ]
        assert images[0] == images[1] != images[2]


def _content(uri: str) -> bytes:
    return base64.b64decode(uri.removeprefix("data:image/png;base64,"))


def test_metrics_count_what_happened(random_bundle: Path, predictor: Predictor) -> None:
    contents = [png(n % 4, n) for n in range(5)]
    expected = predictor.predict(contents)
    with running(random_bundle) as client:
        client.post("/predict", files=form(*contents, b"x"))
        client.post("/predict", files=form(contents[0]))
        client.post("/explore?noise=50", files=form(contents[0]))  # which does not count
        client.post("/predict", json={})
        client.get("/nowhere")
        found = counts(client)
    answers = [*expected, expected[0]]
    for name, values in (
        ("mixqual_images_total", [each.class_name for each in answers]),
        ("mixqual_verdicts_total", [each.verdict for each in answers]),
        ("mixqual_estimated_distortions_total", [each.distortion.name for each in answers]),
    ):
        for value in set(values):
            assert found[name, value] == values.count(value)
        assert sum(n for key, n in found.items() if key[0] == name) == 6
    for expert in predictor.manifest.experts:
        assert found["mixqual_expert_weight_count", expert] == 6
        total = sum(each.weights[expert] for each in answers)
        assert found["mixqual_expert_weight_sum", expert] == pytest.approx(total, abs=1e-5)
        assert found["mixqual_expert_runs_total", expert] == 6
    kinds = {key[1]: n for key, n in found.items() if key[0] == "mixqual_errors_total"}
    ready = kinds.pop("unavailable", 0)  # from before it was ready
    assert kinds == {"unreadable_image": 1, "wrong_type": 1, "not_found": 1}
    assert found.get(("mixqual_request_seconds_count", "/ready", "503"), 0) == ready
    assert found["mixqual_request_seconds_count", "/predict", "200"] == 2
    assert found["mixqual_request_seconds_count", "/predict", "415"] == 1
    assert found["mixqual_request_seconds_count", "other", "404"] == 1
    assert found["mixqual_batch_images_sum",] == 6


def test_the_model_tells_what_is_public(client: httpx.Client, predictor: Predictor) -> None:
    found = client.get("/model").json()
    manifest = predictor.manifest
    assert found["classes"] == list(manifest.classes)
    assert found["experts"] == list(manifest.experts)
    assert found["size"] == manifest.size
    assert set(found["distortions"]) == set(manifest.distortions)
    assert not {"version", "commit", "seed", "backbone", "mean"} & set(found)
    assert "weights" not in json.dumps(found)
