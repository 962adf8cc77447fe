"""A bundle as a service on HTTP: answers in batches, within limits, with a page to explore it."""

from mixqual.service.app import create_app
from mixqual.service.engine import Engine
from mixqual.service.server import serve
from mixqual.service.settings import Settings

__all__ = ["Engine", "Settings", "create_app", "serve"]
