"""The OpenAPI document against the service: requests that Schemathesis makes up from it.

A longer run: `SCHEMATHESIS_EXAMPLES=1000 pytest tests/service/test_document.py`.
"""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from running import form, png, running
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


FITTING, UNFIT = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
OPERATIONS = [
    *((path, "GET", FITTING) for path in ("/health", "/ready", "/model", "/metrics")),
    *((path, "POST", mode) for path in ("/predict", "/explore") for mode in (FITTING, UNFIT)),
]


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Any:
    return schemathesis.openapi.from_url(str(client.base_url) + "/openapi.json")


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_answers_are_as_the_document_says(
    document: Any, path: str, method: str, mode: GenerationMode
) -> None:
    """With requests that fit the document, and with such that do not."""
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(document[path][method].as_strategy(generation_mode=mode))
    def check(case: Case) -> None:
        seen.add(case.call_and_validate(checks=CHECKS).status_code)

    check()
    if mode is UNFIT:
        assert seen & {400, 415, 422}
    else:  # what is made up is hardly ever an image: /explore has nothing to show then
        assert 200 in seen or seen == {422}
        assert seen <= ({200, 422} if path == "/explore" else {200})


def test_the_document_names_every_route_and_every_refusal(random_bundle: Path) -> None:
    with running(random_bundle, api_key="sesame") as client:
        document = client.get("/openapi.json").json()
    found = {
        (path, method): set(map(int, operation["responses"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    uploads = {200, 400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503, 504}
    assert found == {
        ("/health", "get"): {200},
        ("/ready", "get"): {200, 503},
        ("/predict", "post"): uploads,
        ("/explore", "post"): uploads | {501},
        ("/model", "get"): {200, 401, 503},
        ("/metrics", "get"): {200, 401},
    }


def test_whole_answers_fit_it_too(client: httpx.Client, document: Any) -> None:
    """Schemathesis sends no images that can be read."""
    for path, asked in (
        ("/predict", {"files": form(png(), b"x")}),
        ("/explore", {"files": form(png()), "params": {"noise": 9}}),
    ):
        response = client.post(path, **asked)  # type: ignore[arg-type]
        assert response.status_code == 200
        response.request.read()
        document[path]["POST"].validate_response(response)
