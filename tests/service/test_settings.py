"""Limits that cannot be kept are refused when the service starts."""

import inspect
import re
from dataclasses import fields
from typing import Any

import pytest

from mixqual.cli.service import serve
from mixqual.errors import ServiceError
from mixqual.service import Settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_batch": 0}, "max_batch must be positive, not 0"),
        ({"timeout_s": float("nan")}, "timeout_s must be positive, not nan"),
        ({"max_wait_ms": -1.0}, "max_wait_ms must be positive, not -1"),
        ({"port": 65536}, "port must be at most 65535"),
        ({"max_images": 200}, "max_images = 200 is more than max_queue = 128"),
        ({"max_bytes": 2**29}, "more than max_held_bytes"),
        ({"api_key": ""}, "the API key is empty"),
        ({"api_key": "schlüssel"}, "characters that no request can send"),
        ({"api_key": "two\nlines"}, "characters that no request can send"),
        ({"api_key": "key "}, "characters that no request can send"),
        ({"hosts": ("a b",)}, "'a b' is no name of a host"),
        ({"idle_s": 0.0}, "idle_s must be positive"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=re.escape(message)):
        Settings(**change)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert Settings(host=host).loopback is loopback


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Settings(api_key="secret"))


def test_the_command_s_defaults_are_these() -> None:
    renamed = {"timeout": "timeout_s", "idle_timeout": "idle_s"}
    options = {
        renamed.get(name, name): parameter.default
        for name, parameter in inspect.signature(serve).parameters.items()
    }
    for each in fields(Settings):
        if each.name not in ("api_key", "decoders", "hosts"):
            assert options[each.name] == each.default
