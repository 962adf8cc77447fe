"""Why a request is not answered: one exception, with the status that says so."""

from collections.abc import Mapping
from typing import final

DESCRIPTIONS = {
    400: "The body is not a whole form.",
    401: "The key is missing or wrong.",
    408: "The body did not arrive in time.",
    403: "Not under this name, or not from that site.",
    413: "Too many bytes, images, or pixels, or decoding would take too much.",
    415: "The body is neither a form nor an image.",
    422: "A parameter or a part of the form is wrong, or an image took too long to decode.",
    429: "No room at the moment; `Retry-After` says when to come again.",
    431: "Too many headers, or too long ones.",
    500: "A mistake of the service's own.",
    501: "Not by this installation: degrading images needs torch.",
    503: "Starting, shutting down, or too busy.",
    504: "No answer in time.",
}
"""The statuses of refusals."""

_KINDS = {
    400: "malformed",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "wrong_method",
    408: "slow_upload",
    413: "too_large",
    415: "wrong_type",
    422: "invalid",
    429: "no_room",
    431: "large_headers",
    500: "internal",
    501: "not_here",
    503: "unavailable",
    504: "timeout",
}


@final
class Refusal(Exception):
    """A request that is not answered; the text is for whoever sent it, and names nothing inside."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


def kind_of(status: int) -> str:
    """What a status is called among the errors of the metrics."""
    return _KINDS.get(status, "other")
