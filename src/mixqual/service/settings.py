"""What a service is told when it starts: where it listens, and how much it takes."""

import ipaddress
import re
from dataclasses import dataclass, field, fields
from typing import final

from mixqual.errors import ServiceError

_KEY = re.compile("[!-~]([ -~]*[!-~])?")
_NAME = set("abcdefghijklmnopqrstuvwxyz0123456789.-_:")


@final
@dataclass(frozen=True)
class Settings:
    """Address and limits of a service; raises `ServiceError` for limits that cannot be kept."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any that is free."""
    api_key: str | None = field(default=None, repr=False)
    """What a request must bring in its header; None lets everybody in."""
    max_bytes: int = 32 * 2**20
    """Of one request's body."""
    max_images: int = 32
    """Of one request."""
    max_pixels: int = 50_000_000
    """Of one image, by its header."""
    max_queue: int = 128
    """Images of all requests together, from a request's first byte to its answer."""
    max_held_bytes: int = 256 * 2**20
    """Bodies of all requests together."""
    max_batch: int = 32
    """Images that the network sees at once."""
    max_wait_ms: float = 5.0
    """How long an image waits for others to share its batch."""
    timeout_s: float = 30.0
    """How long a request may take, its upload included."""
    idle_s: float = 10.0
    """How long a connection may wait for a request's head, and a body for its next bytes."""
    max_connections: int = 1024
    """Of all clients; fewer where fewer files may be open."""
    max_connections_per_address: int = 512
    hosts: tuple[str, ...] = ()
    """Names that it answers to besides those of loopback; with none, past loopback, to all."""
    decoders: int = 2
    """Images that are decoded at once; one of them at a time is not a costly one."""
    decode_seconds: float = 5.0
    """Of the processor's time, for decoding one image."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            limit = 0 if each.name in ("port", "max_wait_ms") else 1e-3
            if isinstance(value, int | float) and not limit <= value < float("inf"):
                raise ServiceError(f"{each.name} must be positive, not {value:g}")
        if self.port > 65535:
            raise ServiceError(f"port must be at most 65535, not {self.port}")
        for part, whole in (("max_images", "max_queue"), ("max_bytes", "max_held_bytes")):
            one, all_together = getattr(self, part), getattr(self, whole)
            if one > all_together:
                raise ServiceError(
                    f"{part} = {one} is more than {whole} = {all_together}: "
                    "such a request would never find room"
                )
        for name in self.hosts:
            if not name or not set(name.lower()) <= _NAME:
                raise ServiceError(f"{name!a} is no name of a host; give it without a port")
        if self.api_key is not None and not self.api_key:
            raise ServiceError("the API key is empty")
        # A header's value holds no others, and does not end in a space: it would let nobody in.
        if self.api_key is not None and not _KEY.fullmatch(self.api_key):
            raise ServiceError(
                "the API key has characters that no request can send; use printable characters of "
                "ASCII, without a space around them"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
