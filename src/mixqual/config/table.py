"""What every table of a study file is."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a study file: frozen, without unknown fields, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
