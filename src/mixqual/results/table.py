"""What every table of results is."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Table(BaseModel):
    """A table of results: frozen, without unknown fields, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Interval = tuple[float, float]
"""The ends of a 95 % interval, the lower one first."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]

ByLevel = dict[str, dict[str, float]]
"""By distortion, then by level as `level_key` writes it."""
