"""How a study file becomes a validated study; every mistake in it is named with file and field."""

import json
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mixqual.config import StudyConfig, with_recipe
from mixqual.errors import StudyError
from mixqual.file_names import printable
from mixqual.nesting import MOST_LEVELS, too_deep

Table = TypeVar("Table", bound=BaseModel)

_LONGEST_VALUE = 100
"""Characters of a wrong value that a message shows."""


def load_study_config(path: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read a study file, apply `key.subkey=value` overrides, and validate the whole.

    Values of overrides are TOML values; a bare word counts as a string. Raises `StudyError`, with
    the file, the field, the value and what was expected, for anything that does not fit.
    """
    try:
        table = _from_toml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise StudyError(f"{path}: no such study file") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StudyError(f"{path}: cannot be read as a study file ({reason})") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from None
    except ValueError as error:  # not UTF-8, or a NUL in its path
        raise StudyError(f"{path}: cannot be read as a study file ({error})") from None
    for override in overrides:
        _apply_override(table, override)
    return parse_study_config(table, where=str(path))


def study_origin(path: Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """What makes a study that has been read again: the `command`, and the file as `study_text`.

    The command has the path as it was given if that is relative; of an absolute one it has only the
    name, or it would differ from machine to machine.
    """
    movable = not path.is_absolute() and ".." not in path.parts
    words = ["mixqual", "run", path.as_posix() if movable else path.name]
    for override in overrides:
        words += ["--set", override]
    return {"command": shlex.join(words), "study_text": path.read_text(encoding="utf-8")}


def parse_study_config(table: dict[str, Any], where: str = "study") -> StudyConfig:
    """Validate a study given as nested dictionaries; raises `StudyError` naming each bad field."""
    if too_deep(table):
        raise StudyError(_too_deep(where))
    if isinstance(table.get("sharing"), dict):
        table = {**table, "sharing": [table["sharing"]]}
    try:
        # By way of JSON, where strict validation takes a list for a tuple, as TOML writes it.
        return StudyConfig.model_validate_json(json.dumps(with_recipe(table), default=str))
    except ValidationError as error:
        raise StudyError(f"{where}: {_explain(error)}") from None


def make_table(kind: type[Table], where: str, /, **values: Any) -> Table:
    """Validate one table from values that come from elsewhere, such as an option of a command.

    Raises `StudyError` naming each bad field.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise StudyError(f"{where}: {_explain(error)}") from None


def _from_toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise StudyError(_too_deep(where)) from None


def _too_deep(where: str) -> str:
    return f"{where}: lists and tables lie in each other over {MOST_LEVELS} deep; no study needs it"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _apply_override(table: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise StudyError(f"--set {override}: write key=value, such as --set data.size=128")
    try:
        value: Any = _from_toml(f"value = {text}", f"--set {_short(override)}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    if len(parents) > MOST_LEVELS:
        raise StudyError(_too_deep(f"--set {_short(override)}"))
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise StudyError(f"--set {override}: {parent!r} is a value, not a table")
    table[last] = value


# What pydantic appends to a field of type bool | float | int | str, for each type it tried.
_UNION_MEMBERS = ("bool", "float", "int", "str", "constrained-str", "tuple[constrained-str, ...]")


_KEY = "[key]"
"""What pydantic calls the name of a value in a table, behind that name."""


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False):
        place = fault["loc"][:-2] if fault["loc"][-1:] == (_KEY,) else fault["loc"]
        field = ".".join(printable(_short(str(p))) for p in place if p not in _UNION_MEMBERS)
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown key; check its spelling and its table"
        elif fault["type"] != "value_error" and fault["type"] != "missing":
            message += f", but it is {_short(repr(fault['input']))}"
        lines.append(f"{field}: {message}" if field else message)
    return "; ".join(dict.fromkeys(lines))
