"""The tables of a study's distortions."""

from typing import Any, Self

from pydantic import Field, model_validator

from mixqual.config.table import Table, Text


class _Levels(Table):
    """How far a distortion goes: `max`, or `min` where damage grows as the level falls.

    In the distortion's unit, at a 224-pixel crop.
    """

    max: float | None = Field(None, gt=0, le=1e9)
    min: float | None = Field(None, ge=0, le=1e9)
    options: dict[str, Any] = Field(default_factory=dict, max_length=100)
    """Settings of the distortion itself, such as `clip = true` for gaussian_noise."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.max is None) == (self.min is None):
            raise ValueError("give the strongest level: `max`, or `min` where less means more")
        return self

    @property
    def strongest(self) -> float:
        """The level that is furthest from none."""
        level = self.max if self.max is not None else self.min
        assert level is not None
        return level


class PartConfig(_Levels):
    """One distortion of a composition."""

    kind: Text
    """As in a table of its own."""


class DistortionConfig(_Levels):
    """One distortion of a study: training draws from all its levels, testing uses the grid."""

    steps: int = Field(10, ge=1, le=1000)
    """Levels of the test grid, evenly spaced up to the strongest; the clean one comes besides."""
    kind: Text | None = None
    """Which distortion it is, where the table has a name of its own: one that `mixqual distortions`
    lists, or your own as "module:function"."""
    parts: tuple[PartConfig, ...] = Field((), max_length=100)
    """Instead of `kind`: several distortions in the order in which they happen. The level is then
    the share of the way from none to the strongest of each; `max` is 1 unless you say less."""

    @model_validator(mode="before")
    @classmethod
    def _whole_composition(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("parts"):
            return {"max": 1.0, **values}
        return values

    @model_validator(mode="after")
    def _kind_or_parts(self) -> Self:
        if self.parts and (self.kind or self.options):
            raise ValueError("a composition has `parts`; `kind` and `options` belong to each part")
        return self
