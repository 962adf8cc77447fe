"""The names of classes that a model file carries, as common exporters write them."""

import ast
import json
from collections.abc import Mapping

_KEYS = ("names", "class_names", "classes", "labels", "id2label")


def class_names(metadata: Mapping[str, object]) -> tuple[str, ...] | None:
    """The names of a model's outputs in their order, from a file's metadata; None without them.

    They are a list, or a dictionary from each output's number to its name, in JSON or as Python
    prints them (Ultralytics' "names", Hugging Face's "id2label").
    """
    for key in _KEYS:
        found = _parsed(metadata.get(key))
        if isinstance(found, dict):
            found = _in_order(found)
        if isinstance(found, list | tuple) and all(isinstance(name, str) for name in found):
            return tuple(found) or None
    return None


def _in_order(found: Mapping[object, object]) -> list[object] | None:
    """The values of a dictionary whose keys are 0, 1 and so on, as numbers or as text."""
    by_number = {str(key): name for key, name in found.items()}
    places = [str(place) for place in range(len(by_number))]
    return [by_number[place] for place in places] if by_number.keys() == set(places) else None


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None
