"""One seed per purpose, derived from the study's, so that no draw depends on the order of work."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2^63) for these parts; different parts give independent seeds."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
