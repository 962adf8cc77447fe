"""How the file of a run's results is read: what it lacks, or has of another kind, is named.

Runs write it with a checksum, but it may have been changed by hand, or written by an older version:
what came later may lack, and what nobody knows may stand in it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mixqual.errors import RunError
from mixqual.made import read_signed

_MAY_LACK: Any = None


class _Known(BaseModel):
    """What is known of a table."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


_Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
_Rows = list[dict[str, Any]]


class _Origin(_Known):
    seeds: Annotated[list[int], Field(min_length=1)] = _MAY_LACK
    backbone: str = _MAY_LACK
    weights: str = _MAY_LACK
    size: int = _MAY_LACK
    classes: list[str] = _MAY_LACK
    images: dict[str, int] = _MAY_LACK


class _Grid(_Known):
    unit: str
    levels: list[float]
    quantity: str = _MAY_LACK
    options: dict[str, Any] = _MAY_LACK


class _Area(_Known):
    auc: float
    ci95: _Interval
    seeds: list[float] = _MAY_LACK


class _Comparison(_Known):
    a: str
    b: str
    distortion: str
    delta: float
    ci95: _Interval


class _Results(_Known):
    name: str = _MAY_LACK
    provenance: _Origin = _MAY_LACK
    recipes: _Rows = _MAY_LACK
    experts: list[str] = _MAY_LACK
    clean: str | None = _MAY_LACK
    baselines: list[str] = _MAY_LACK
    controls: list[str] = _MAY_LACK
    models: list[str] = _MAY_LACK
    held_out: list[str] = _MAY_LACK
    distortions: dict[str, _Grid] = _MAY_LACK
    auc: dict[str, dict[str, _Area]] = _MAY_LACK
    accuracy: dict[str, dict[str, dict[str, float]]] = _MAY_LACK
    accuracy_ci95: dict[str, dict[str, dict[str, _Interval]]] = _MAY_LACK
    kept_levels: dict[str, dict[str, dict[str, Any]]] = _MAY_LACK
    metrics: dict[str, dict[str, dict[str, dict[str, float]]]] = _MAY_LACK
    confusion: dict[str, dict[str, dict[str, list[list[int]]]]] = _MAY_LACK
    corruption_error: dict[str, dict[str, Any]] = _MAY_LACK
    comparisons: list[_Comparison] = _MAY_LACK
    left_out: _Rows = _MAY_LACK
    leaks: _Rows = _MAY_LACK
    unseen: _Rows = _MAY_LACK
    weights: dict[str, dict[str, dict[str, float]]] = _MAY_LACK
    gate_weights: dict[str, dict[str, dict[str, float]]] = _MAY_LACK
    gate_weights_std: dict[str, dict[str, dict[str, float]]] = _MAY_LACK
    trees: _Rows = _MAY_LACK
    cost: dict[str, dict[str, Any]] = _MAY_LACK
    conditional: dict[str, Any] = _MAY_LACK
    recommendation: dict[str, Any] = _MAY_LACK
    gate: _Rows = _MAY_LACK
    trust: _Rows = _MAY_LACK
    training: dict[str, dict[str, dict[str, Any]]] = _MAY_LACK


_OF_MODELS = ("auc", "accuracy", "accuracy_ci95")


def read_results_file(
    path: Path, needed: Sequence[str], of_origin: Sequence[str] = ()
) -> dict[str, Any]:
    """The content of a `results.json` that has what is `needed`, and `of_origin` in its provenance.

    Raises `RunError` if it is missing, damaged, or not what a study writes.
    """
    table = read_signed(path)
    found: dict[str, Any] = table if isinstance(table, dict) else {}
    lacking = [key for key in needed if key not in found]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    try:
        _Results.model_validate(found)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        message = "it should be a table" if fault["type"] == "model_type" else fault["msg"]
        raise RunError(f"{path} is not what `mixqual run` writes: {where}: {message}") from None
    lacking = [f"provenance.{key}" for key in of_origin if key not in found["provenance"]]
    for table in (key for key in _OF_MODELS if key in found):
        lacking += [
            f"{table}.{name}" for name in found.get("models", ()) if name not in found[table]
        ]
    if lacking:
        raise RunError(f"{path} is not what `mixqual run` writes: it lacks {', '.join(lacking)}")
    return found
