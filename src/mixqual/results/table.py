"""What tables of results are made of."""

from typing import Annotated

from pydantic import Field

Interval = tuple[float, float]
"""The ends of a 95 % interval, the lower one first."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]

ByLevel = dict[str, dict[str, float]]
"""By distortion, then by level as `level_key` writes it."""
