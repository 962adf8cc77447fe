"""How deep values lie in each other: what nests without end is refused before any recursion."""

from typing import Any

MOST_LEVELS = 50
"""Of tables and lists in each other, in a study file or in results."""


def too_deep(value: Any) -> bool:
    """Whether lists and tables lie in each other more than `MOST_LEVELS` deep."""
    layer = [value]
    for _ in range(MOST_LEVELS + 1):
        layer = [
            inner
            for each in layer
            if isinstance(each, dict | list | tuple)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(layer)
