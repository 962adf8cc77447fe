"""Who may ask: whoever brings the key, in a header and nowhere else."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mixqual.service.refusals import Refusal

Check = Callable[..., Awaitable[None]]


def key_check(api_key: str) -> Check:
    """A dependency that refuses (401) a request without `Authorization: Bearer KEY`."""
    expected = _digest(api_key)
    bearer = HTTPBearer(auto_error=False, scheme_name="key")

    async def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    ) -> None:
        # Digests are equally long, so that the time of the comparison tells nothing.
        if given is None or not hmac.compare_digest(_digest(given.credentials), expected):
            raise Refusal(
                401,
                "send the key of this service: Authorization: Bearer KEY",
                {"WWW-Authenticate": "Bearer"},
            )

    return check


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
